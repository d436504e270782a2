"""Where the answers of two controllers to the same request differ, sessions included."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from remora.migrate.requests import Replay

MAY_DIFFER = frozenset(
    ("date", "server", "connection", "keep-alive", "transfer-encoding", "content-length", "x-request-id", "age", "via")
)
"""Headers that say nothing of what was configured. The length is that of the body, which is compared itself."""

_NGINX_PAGE = b"<center>nginx"
_POD_HEADERS = ("x-pod", "x-pod-name", "x-served-by-pod")
_POD_KEYS = ("pod", "pod_name", "podName", "hostname", "HOSTNAME")
_LONGEST = 120


class Answer(msgspec.Struct, frozen=True):
    """What one controller answered. `pod` is who served it, as far as the answer says; `error` where there was no answer."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    pod: str = ""
    error: str = ""

    def header(self, name: str) -> tuple[str, ...]:
        """The values of a header, in their order."""
        return tuple(value for key, value in self.headers if key.lower() == name)


class Difference(msgspec.Struct, frozen=True):
    """One thing in which the answers differ. `expected` says why that is as it should be; "" if it is not."""

    request: str
    what: str
    old: str
    new: str
    expected: str = ""


class Ignoring(msgspec.Struct, frozen=True):
    """What is not compared, beside what never is: headers by name, and patterns of bodies."""

    headers: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()


def find_pod(headers: Iterable[tuple[str, str]], body: bytes, by: str = "auto") -> str:
    """Who served the answer: by `header:NAME`, `json:KEY`, `regex:PATTERN`, or what has a usual name; "" if unknown."""
    kind, _, name = by.partition(":")
    written = {key.lower(): value for key, value in headers}
    match kind:
        case "header":
            return written.get(name.lower(), "")
        case "json":
            return _find_key(body, (name,))
        case "regex":
            found = re.search(name.encode(), body)
            return (found[1] if found.groups() else found[0]).decode(errors="replace") if found else ""
        case _:
            return next((written[key] for key in _POD_HEADERS if key in written), "") or _find_key(body, _POD_KEYS)


def _find_key(body: bytes, keys: Sequence[str]) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return next((str(said[key]) for key in keys if said.get(key)), "") if isinstance(said, dict) else ""


def differences(request: Replay, old: Answer, new: Answer, ignoring: Ignoring) -> Iterator[Difference]:
    """Everything in which two answers to a request differ."""
    name = str(request)
    if old.error or new.error:  # of both as well: what nobody answered was not compared
        yield Difference(name, "answer", old.error or str(old.status), new.error or str(new.status))
        return
    if old.status != new.status:
        yield Difference(name, "status", str(old.status), str(new.status))
        return
    is_page = old.status >= 300 and _NGINX_PAGE in old.body
    expected = "the controller's own page" if is_page or (old.status >= 300 and request.method == "HEAD") else ""
    yield from _header_differences(request, old, new, ignoring.headers, expected)
    if _body(old, new, ignoring) != _body(new, old, ignoring):
        yield Difference(name, "body", _shown(old.body), _shown(new.body), expected)


def _header_differences(
    request: Replay, old: Answer, new: Answer, ignored: Collection[str], expected: str
) -> Iterator[Difference]:
    names = {key.lower() for key, _ in (*old.headers, *new.headers)} - MAY_DIFFER - set(ignored)
    for name in sorted(names):
        texts = [_cookies(one) if name == "set-cookie" else one.header(name) for one in (old, new)]
        if texts[0] != texts[1]:
            reason = expected if name in ("content-type", "cache-control") else ""
            yield Difference(str(request), f"header {name}", "; ".join(texts[0]), "; ".join(texts[1]), reason)


def _cookies(answer: Answer) -> tuple[str, ...]:
    """Cookies by name and attributes: values are sessions, and times are those of the answer."""
    return tuple(sorted(_without_value(text) for text in answer.header("set-cookie")))


def _without_value(cookie: str) -> str:
    pair, *attributes = (part.strip() for part in cookie.split(";"))
    kept = sorted(one.lower().partition("=")[0] if one.lower().startswith("expires=") else one.lower() for one in attributes)
    return "; ".join((pair.partition("=")[0], *kept))


def _body(answer: Answer, other: Answer, ignoring: Ignoring) -> bytes:
    body = answer.body
    if answer.pod and other.pod and answer.pod != other.pod:
        body = re.sub(rb"(?<![\w-])" + re.escape(answer.pod.encode()) + rb"(?![\w-])", b"(pod)", body)
    for pattern in ignoring.patterns:
        body = re.sub(pattern.encode(), b"", body)
    return body


def _shown(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class Visit(msgspec.Struct, frozen=True):
    """One step of a session's way between the controllers: where it was sent, what it brought, and who served it."""

    side: str
    brought: str
    pod: str
    status: int = 200


class Trail(msgspec.Struct, frozen=True):
    """A session that goes from one controller to the other and back; it must stay on one pod."""

    request: Replay
    visits: tuple[Visit, ...]


def trail_differences(trail: Trail) -> Iterator[Difference]:
    """Where a session was moved."""
    first, *others = trail.visits
    for visit in others:
        if visit.pod != first.pod:
            what = f"session: {visit.brought}, taken to the {visit.side} controller"
            old, new = first.pod or f"status {first.status}", visit.pod or f"status {visit.status}"
            yield Difference(str(trail.request), what, old, new)


def cookie_pair(answer: Answer, name: str) -> str:
    """`name=value` of a cookie that the answer sets; "" if it sets none of the name."""
    return next((text.partition(";")[0].strip() for text in answer.header("set-cookie") if text.startswith(f"{name}=")), "")


class Comparison(msgspec.Struct, frozen=True):
    """What a comparison found. `unknown_pods` counts sessions of which nobody can say where they were served."""

    requests: int = 0
    sessions: int = 0
    unknown_pods: int = 0
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    taken_at: str = ""
    """When it was finished, in UTC."""

    @property
    def unexpected(self) -> tuple[Difference, ...]:
        """The differences that nobody wants."""
        return tuple(one for one in self.differences if not one.expected)

    @property
    def is_clean(self) -> bool:
        """Whether something was compared, and nothing differs that should not."""
        return self.requests > 0 and not self.unexpected
