"""How a route's requests are sent to pods, and the names in pods' answers.

The map `proxying` has all of it in one value, so that a route that says nothing pays for one look-up. Fields by `|`: the
milliseconds that a pod may be silent; whether a request is sent a second time (see `retries`); `close` for a connection of its
own; and six that the Lua action `rewrite_answer` reads: a cookie's domain before and after, its path, a redirect.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features import retries
from remora.haproxy.grammar import Directive, rule
from remora.model import AnswerNames, ForwardTo

_SAID = "var(txn.proxying)"
_SILENCE = f"{_SAID},field(1,|)"
_AGAIN = f"{_SAID},field(2,|)"
_CONNECTION = f"{_SAID},field(3,|)"
_NAMES = f"{_SAID},field(4,|,0)"
_RENAMES = "{ var(txn.names) -m found }"


def request_rules(options: ProxyOptions, proxying_map: str) -> Iterator[Directive]:
    """The rules of rich classes, before the request's Host becomes another one."""
    yield rule("http-request set-var(txn.proxying)", f"var(txn.route),map_str({proxying_map})")
    for which in ("server", "tunnel"):
        yield rule(f"http-request set-timeout {which}", _SILENCE, when=f"{{ {_SILENCE} -m len gt 0 }}")
    # What asks for another protocol says so in the same header.
    is_closed = f"{{ {_CONNECTION} -m len gt 0 }} !{{ req.hdr(upgrade) -m found }}"
    yield rule("http-request set-header Connection", f"%[{_CONNECTION}]", when=is_closed)
    # In an answer's rules nothing is known any more of what was asked.
    yield rule("http-request set-var(txn.names)", _NAMES, when=f"{{ {_NAMES} -m len gt 0 }}")
    asked = "%[req.hdr(x-forwarded-proto)] %[req.hdr(host)]"
    yield rule("http-request set-var-fmt(txn.asked_at)", asked, when=_RENAMES)
    yield from retries.request_rules(options, said=_AGAIN)


def response_rules() -> Iterator[Directive]:
    """Before what replaces a pod's answer by a page."""
    yield rule("http-response lua.rewrite_answer", when=_RENAMES)


def is_wanted(action: ForwardTo) -> bool:
    """Whether the route needs the rules above, or a backend of its own."""
    return bool(proxying_entry(action)) or action.retries is not None


def proxying_entry(action: ForwardTo) -> str:
    """The value of the map `proxying`, "" if there is none.

    Raises:
        ValueError: a text holds what would end a field.
    """
    silence = "" if action.read_timeout is None else str(action.read_timeout * 1000)
    fields = (silence, retries.retry_word(action.retries), "close" * action.closes_connection)
    names = _name_fields(action.answer_names) if action.answer_names else ()
    return "|".join((*fields, *names)) if any(fields) or names else ""


def _name_fields(names: AnswerNames) -> tuple[str, ...]:
    pairs = (names.cookie_domain, names.cookie_path, names.redirect)
    texts = tuple(text for pair in pairs for text in ((pair.before, pair.after) if pair else ("", "")))
    if any("|" in text or not text.isprintable() for text in texts):
        raise ValueError(f"{texts!r} cannot be told apart")
    return texts
