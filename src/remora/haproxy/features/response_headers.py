"""Headers that a route sets on its answers.

HAProxy takes the name of a header only in its text, so the program has a rule for each name that the controller's settings
allow; whether a route sets it, and to what, is data.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule

_HAS_HEADERS = "{ var(txn.has_headers) -m found }"


def rules(names: tuple[str, ...], headers_map: str) -> Iterator[Directive]:
    """Replaces the pod's headers of the same names, and sets them on answers that HAProxy makes."""
    if not names:
        return
    yield rule("http-request set-var(txn.has_headers)", f"var(txn.route),map_str({headers_map})")
    for name in names:
        value = f"var(txn.route),concat(/{name}),map_str({headers_map})"
        yield rule(f"http-after-response set-header {name}", f"%[{value}]", when=f"{_HAS_HEADERS} {{ {value} -m found }}")


def header_entries(route: str, headers: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """The entries of a route in the map `response-headers`."""
    if headers:
        yield route, "1"
    yield from ((f"{route}/{name}", value) for name, value in headers)
