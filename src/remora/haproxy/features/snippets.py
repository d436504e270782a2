"""What snippets ask for: steps that Lua walks, for routes that have some.

The steps of a route are one entry of the map `snippets` (see `remora.snippets.written`). Its first word says who is wanted: `r`
what decides about a request, `q` what changes headers to pods, `a` what changes those of pods' answers, `c` that constant
headers of well-known names stand in the map `snippet-headers`, which go on answers that HAProxy makes too.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule
from remora.snippets.written import COMMON_NAMES


def request_rules(snippets_map: str) -> Iterator[Directive]:
    """The first of all policies, as in nginx: redirects and refusals of a snippet go before preflights and guards."""
    yield rule("http-request set-var(txn.snippet)", f"var(txn.route),map_str({snippets_map})")
    yield rule("http-request set-var(txn.snippet_kinds)", "var(txn.snippet),field(1,:)")
    yield rule("http-request lua.snippet_decides", when=_wants("r"))
    yield rule("http-request reject", when="{ var(txn.unanswered) -m found }")


def header_rules() -> Iterator[Directive]:
    """The last before a request goes to its pod."""
    yield rule("http-request lua.snippet_changes_request", when=_wants("q"))


def response_rules() -> Iterator[Directive]:
    """For the answers of pods."""
    yield rule("http-response lua.snippet_changes_answer", when=_wants("a"))


def common_rules(headers_map: str) -> Iterator[Directive]:
    """For all answers, whoever makes them."""
    for name in COMMON_NAMES:
        value = f"var(txn.route),concat(/{name}),map_str({headers_map})"
        yield rule(f"http-after-response set-header {name}", f"%[{value}]", when=f"{_wants('c')} {{ {value} -m found }}")


def _wants(kind: str) -> str:
    return f"{{ var(txn.snippet_kinds) -m sub {kind} }}"
