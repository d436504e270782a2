"""Sessions that the application names: learned from a pod's answer, and followed in requests.

What was learned stands in one stick table. Its key is a digest of the route's scope and the session's name, so that a name may
be of any length and stands in no memory dump; its value is the server's name, which is the same on every replica: twenty hex
digits in three numbers, because a table holds no text that a rule could write. Peers share the table (`features.peers`).

What the session is named in is data, as in `by_name`. A name that a client brings and nobody knows is learned with the pod
that answers it, unless the answer is an error. What is learned goes before the cookie of `affinity`.
"""

from collections.abc import Callable, Iterator

from remora.core.settings import ProxySettings
from remora.haproxy.features import by_name, peers
from remora.haproxy.grammar import Directive, rule
from remora.model import Learning, NamedIn

TABLE = "learned"
"""The name of the table."""

KEY_LENGTH = 40
WORDS = ((0, 8), (8, 8), (16, 4))
"""Where in a server's name each number of an entry stands: first digit and how many."""

_LETTERS = {NamedIn.COOKIE: "c", NamedIn.HEADER: "h", NamedIn.QUERY: "q", NamedIn.PATH: "p"}
"""How the map `learning` says where the name is."""

_IS_LEARNED = "{ var(txn.learned) -m found }"
_LEARNS = "{ var(txn.learning) -m found }"
_NAME = "var(txn.learn_name)"


def table_rule(settings: ProxySettings) -> Directive:
    """The table's definition."""
    kept = f"size {settings.learned_table_size} expire {settings.learned_table_expire}s"
    return rule(f"stick-table type string len {KEY_LENGTH} {kept} store gpt({len(WORDS)}) peers {peers.SECTION}")


def request_rules(learning_map: str, servers_map: str) -> Iterator[Directive]:
    """Finds `txn.learned`, the server of the session. All but a look-up and some tests is for routes that learn."""
    yield rule("http-request set-var(txn.learning)", f"var(txn.route),map_str({learning_map})")
    yield rule("http-request set-var(txn.learn_name)", "var(txn.learning),field(2,|)", when=_LEARNS)
    finds = {
        NamedIn.COOKIE: (by_name.cookie_rules, _cookie),
        NamedIn.HEADER: (_keeps("headers", "req.hdrs"), by_name.header),
        NamedIn.QUERY: (_keeps("query", "query"), _argument),
        NamedIn.PATH: (_keeps("raw_path", "path"), _parameter),
    }
    yield rule("http-request set-var(txn.line_end)", "str(Cg==),b64dec", when=_LEARNS)
    for place, (prepare, find) in finds.items():
        yield from prepare(_is_in(place))
        yield rule("http-request set-var(txn.named)", find(_NAME), when=_is_in(place))
    yield rule("http-request set-var(txn.learned_key)", _key("named"), when=_is_named("named"))
    is_known = f"{{ var(txn.learned_key),in_table({TABLE}) -m bool }}"
    yield rule("http-request set-var-fmt(txn.learned)", "".join(map(_read_word, range(len(WORDS)))), when=is_known)
    is_there = f"{{ be_name,concat(/,txn.learned),map_str({servers_map}) -m found }}"
    yield rule("http-request unset-var(txn.learned)", when=f"{_IS_LEARNED} !{is_there}")


def choosing_rules() -> Iterator[Directive]:
    """How a backend follows what was learned; before all that follows a cookie."""
    yield rule("use-server", "%[var(txn.learned)]", when=_IS_LEARNED)


def response_rules(expire: int) -> Iterator[Directive]:
    """Learns from an answer of a pod, and keeps a session that was followed from being forgotten. `expire` is the table's."""
    has_cookie = f"{_is_in(NamedIn.COOKIE)} {{ res.hdr_cnt(set-cookie) gt 0 }}"
    is_other = f"{_LEARNS} !{_is_in(NamedIn.COOKIE)}"
    for when in (has_cookie, is_other):
        yield rule("http-response set-var(txn.headers)", "res.hdrs", when=when)
    yield rule("http-response unset-var(txn.named)", when=_LEARNS)
    yield rule("http-response set-var(txn.named)", _set_cookie(_NAME), when=has_cookie)
    for place, opening, closing in ((NamedIn.QUERY, "[?&]", "&#"), (NamedIn.PATH, ";", ";/?#")):
        yield rule("http-response set-var(txn.named)", _location(_NAME, opening, closing), when=_is_in(place))
    not_named = f"!{{ var(txn.named) {by_name.FOUND} }}"
    yield rule("http-response set-var(txn.named)", by_name.header(_NAME), when=f"{is_other} {not_named}")
    yield rule("http-response set-var(txn.answer_key)", _key("named"), when=_is_named("named"))
    yield from _learning_rules(expire)


def _learning_rules(expire: int) -> Iterator[Directive]:
    is_named = "{ var(txn.answer_key) -m found }"
    is_same = "{ var(txn.answer_key),strcmp(txn.learned_key) eq 0 }"
    # A pod that names the session has it, even if it was another's when the request came.
    for is_moved in (f"!{is_same}", "!{ srv_name,strcmp(txn.learned) eq 0 }"):
        yield rule("http-response unset-var(txn.learned)", when=f"{is_named} {is_moved}")
    yield rule("http-response set-var(txn.learned_key)", "var(txn.answer_key)", when=is_named)
    # Every touch is told to the other replicas, so a session is touched when a hundredth of its time has passed.
    is_idle = f"{{ var(txn.learned_key),table_idle({TABLE}) gt {expire * 10} }}"
    is_new = "{ var(txn.learned_key) -m found } { status lt 400 }"
    followed = (f"{_IS_LEARNED} {is_idle}", f"{_IS_LEARNED} {{ status 101 }}")
    for when in (f"{is_named} !{_IS_LEARNED}", f"{is_new} !{_IS_LEARNED}", *followed):
        yield rule("http-response track-sc2", "var(txn.learned_key)", "table", TABLE, when=when)
    for number, (first, length) in enumerate(WORDS):
        word = f"srv_name,bytes({first},{length}),hex2i"
        yield rule(f"http-response sc-set-gpt({number},2)", word, when=f"{{ sc2_tracked }} !{_IS_LEARNED}")


def learning_entry(learning: Learning) -> str:
    """The value of the map `learning`: a letter for where the name is, what it is called there, and the scope; by `|`.

    Raises:
        ValueError: the name holds what separates it.
    """
    if any(character in "|;" or character <= " " for character in learning.name):
        raise ValueError(f"{learning.name!r} cannot be told from what stands beside it")
    return f"{_LETTERS[learning.named_in]}|{learning.name}|{learning.scope}"


def _keeps(variable: str, sample: str) -> Callable[[str], Iterator[Directive]]:
    return lambda when: iter([rule(f"http-request set-var(txn.{variable})", sample, when=when)])


def _is_in(place: NamedIn) -> str:
    return f"{{ var(txn.learning) -m beg {_LETTERS[place]} }}"


def _is_named(variable: str) -> str:
    """Holds for a find that is not empty."""
    return f"{_LEARNS} {{ var(txn.{variable}) {by_name.FOUND} }} {{ var(txn.{variable}) -m len gt 1 }}"


def _key(variable: str) -> str:
    return f"var(txn.learning),field(3,|),concat(,txn.{variable}),sha1,hex"


def _read_word(number: int) -> str:
    # A number becomes eight bytes, sixteen digits.
    _, length = WORDS[number]
    return f"%[var(txn.learned_key),table_gpt({number},{TABLE}),hex,bytes({16 - length if length < 8 else 8}),lower]"


def _cookie(name: str) -> str:
    return name + r',concat(;,txn.cookies),regsub("^([^;]+);(?:.*?[; \t])?\1=([^; \t]*).*$","=\2")'


def _argument(name: str) -> str:
    return name + r',concat(;,txn.query),regsub("^([^;]+);(?:.*?&)?\1=([^&]*).*$","=\2")'


def _parameter(name: str) -> str:
    return name + r',concat(;,txn.raw_path),regsub("^([^;]+);.*?;\1=([^;/]*).*$","=\2")'


def _set_cookie(name: str) -> str:
    """The last cookie of the name that an answer sets."""
    return name + (
        r",concat(,txn.line_end),concat(,txn.headers),"
        r'regsub("^([^\n]+)\n(?s:.*\n)?set-cookie:[ \t]*\1=([^;\r\n]*)(?s:.*)$","=\2")'
    )


def _location(name: str, opening: str, closing: str) -> str:
    """A part of the Location that begins with `opening` and the name."""
    return name + (
        r",concat(,txn.line_end),concat(,txn.headers),"
        rf'regsub("^([^\n]+)\n(?s:.*\n)?location:[^\r\n]*?{opening}\1=([^{closing}\r\n]*)(?s:.*)$","=\2")'
    )
