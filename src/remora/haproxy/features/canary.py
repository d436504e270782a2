"""Canary releases: some requests of a route go to another backend.

A route with a canary is marked in its record, and its requests alone come past these rules. They read what the canary wants
from the map `canaries` and decide in ingress-nginx's order; the canary's record then takes the place of the route's.
"""

import re
from collections.abc import Iterator

from remora.haproxy.features import affinity, by_name
from remora.haproxy.grammar import Directive, rule
from remora.model import Canary, ForwardTo, HeaderTest, Route, RouteAction

_LETTERS = {HeaderTest.WORD: "w", HeaderTest.VALUE: "v", HeaderTest.PATTERN: "p", HeaderTest.PRESENCE: "n"}
"""How the map `canaries` says what a header is tested for."""

_HAS_HEADER = f"{{ var(txn.header) {by_name.FOUND} }}"

_OPEN = "!{ var(txn.side) -m found }"
"""Holds until a rule has decided."""

_PATTERN_START = re.compile(r"\\A([0-9a-f]+)\\n")


def request_rules(*, canaries_map: str, records_map: str, patterns_map: str, servers_map: str) -> Iterator[Directive]:
    """Decides `txn.side` for requests whose route has a canary, and puts its record in place."""
    yield rule("http-request set-var(txn.canary)", f"var(txn.route),map_str({canaries_map})")
    yield rule("http-request set-var(txn.canary_record)", f"var(txn.route),map_str({records_map})")
    yield from by_name.cookie_rules()
    yield from _side_of_session(servers_map)
    yield from _side_of_header(patterns_map)
    yield rule(
        "http-request set-var(txn.word)",
        by_name.cookie("var(txn.canary),field(6,|)"),
        when=f"{_OPEN} {{ var(txn.canary),field(6,|) -m len gt 0 }}",
    )
    yield from _side_of_word("txn.word")
    yield rule("http-request set-var(txn.weight)", "var(txn.canary),field(7,|)")
    yield rule("http-request set-var(txn.total)", "var(txn.canary),field(8,|)")
    yield _decide("canary", "{ rand,mod(txn.total),sub(txn.weight) lt 0 }")
    yield rule("http-request set-var(txn.record)", "var(txn.canary_record)", when="{ var(txn.side) -m str canary }")


def _side_of_session(servers_map: str) -> Iterator[Directive]:
    """A client of either side stays there, unless the canary has nobody to serve it. One that only drains serves its own."""
    yield rule("http-request set-var(txn.whole)", affinity.FIND_WHOLE)
    is_cookie = "!{ var(txn.whole) -m sub ; }"
    for number, side in ((1, "main"), (2, "canary")):
        yield rule(f"http-request set-var(txn.{side}_key)", f"var(txn.canary),field({number},|)")
    of_neither = " ".join(f"!{{ var(txn.whole),field(2,|),strcmp(txn.{side}_key) eq 0 }}" for side in ("main", "canary"))
    for side in ("main", "canary"):
        yield from affinity.fitting_rules(f"var(txn.{side}_key)", f"{is_cookie} {of_neither}")
        yield rule("http-request set-var(txn.whole)", "var(txn.fitting)", when=affinity.HAS_FITTING)
        yield from (rule(f"http-request unset-var(txn.{name})") for name in ("ours", "fitting"))
    yield rule("http-request set-var(txn.side_key)", "var(txn.whole),field(2,|)", when=is_cookie)
    yield rule("http-request set-var(txn.side_server)", "var(txn.whole),field(1,|),field(-1,~)", when=is_cookie)
    has_session = "{ var(txn.side_key) -m len gt 0 }"
    yield _decide("main", f"{has_session} {{ var(txn.side_key),strcmp(txn.main_key) eq 0 }}")
    is_canarys = f"{has_session} {{ var(txn.side_key),strcmp(txn.canary_key) eq 0 }}"
    is_there = f"{{ var(txn.canary_record),field(-2,|),concat(/,txn.side_server),map_str({servers_map}) -m found }}"
    yield _decide("canary", f"{is_canarys} {is_there}")
    yield _decide("main", "!{ var(txn.canary_record),field(-2,|),nbsrv gt 0 }")
    yield _decide("canary", is_canarys)


def _side_of_header(patterns_map: str) -> Iterator[Directive]:
    yield rule("http-request set-var(txn.header_name)", "var(txn.canary),field(3,|)")
    wants_header = f"{_OPEN} {{ var(txn.header_name) -m len gt 0 }}"
    yield from by_name.preparing_rules(wants_header)
    yield rule("http-request set-var(txn.header)", by_name.header("var(txn.header_name)"), when=wants_header)
    yield rule("http-request set-var(txn.value)", "var(txn.header),bytes(1)", when=_HAS_HEADER)
    yield from _side_of_word("txn.header", _is_tested(HeaderTest.WORD))
    yield rule("http-request set-var(txn.wanted)", "var(txn.canary),field(5,|)")
    is_wanted = "{ var(txn.value),strcmp(txn.wanted) eq 0 }"
    yield _decide("canary", f"{_is_tested(HeaderTest.VALUE)} {is_wanted}")
    is_found = f"{{ var(txn.route),concat(,txn.line_end),concat(,txn.value),map_reg({patterns_map}) -m found }}"
    yield _decide("canary", f"{_is_tested(HeaderTest.PATTERN)} {is_found}")
    yield _decide("main", _is_tested(HeaderTest.PRESENCE))


def _is_tested(test: HeaderTest) -> str:
    """Holds for a request with the header, if that is what it is tested for."""
    return f"{{ var(txn.canary),field(4,|) -m str {_LETTERS[test]} }} {_HAS_HEADER}"


def _side_of_word(variable: str, when: str = "") -> Iterator[Directive]:
    for word, side in (("always", "canary"), ("never", "main")):
        yield _decide(side, f"{when} {{ var({variable}) -m str ={word} }}")


def _decide(side: str, when: str) -> Directive:
    """Sets the side, unless a rule before has."""
    return rule(f"http-request set-var(txn.side) str({side})", when=f"{_OPEN} {when}")


def canary_entry(route: Route, canary: Canary) -> str:
    """The value of the map `canaries`: both backend keys, header, its test, its value, cookie, weight and total, by `|`.

    Raises:
        ValueError: a name or a value holds a `|`.
    """
    header = canary.header
    value = header.text if header and header.test is HeaderTest.VALUE else ""
    tested = (header.name, _LETTERS[header.test], value) if header else ("", "", "")
    keys = (_backend_key(route.action), _backend_key(canary.action))
    fields = (*keys, *tested, canary.cookie, str(canary.weight), str(canary.total))
    if any("|" in field for field in fields):
        raise ValueError(f"{fields!r} cannot be told apart")
    return "|".join(fields)


def pattern_keys(route: Route, canary: Canary) -> Iterator[str]:
    """The key of the map `canary-patterns`: a PCRE over route, line end and value, that searches the value alone."""
    header = canary.header
    if header and header.test is HeaderTest.PATTERN:
        # The value stands on a line of its own, so ^ and $ find its ends; \A would find the subject's.
        text = re.sub(r"\\(.)", lambda found: "^" if found[1] == "A" else found[0], header.text)
        yield rf"\A{route.id}\n(?s:.*?)(?m:{text})"


def route_of_pattern(key: str) -> str:
    """The route that a key of `canary-patterns` belongs to; "" if it is none."""
    found = _PATTERN_START.match(key)
    return found[1] if found else ""


def _backend_key(action: RouteAction) -> str:
    return action.affinity.backend_key if isinstance(action, ForwardTo) and action.affinity else ""
