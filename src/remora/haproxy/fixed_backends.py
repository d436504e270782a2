"""Backends that the program declares for itself: they answer what no pod answers."""

from collections.abc import Iterator

from remora.haproxy.features import error_pages
from remora.haproxy.grammar import Section, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map

NOT_FOUND_BACKEND = "not-found"
UNAVAILABLE_BACKEND = "unavailable"
HEALTHZ_BACKEND = "healthz"


def fixed_backends() -> Iterator[Section]:
    """Those three."""
    text = ("content-type", "text/plain; charset=utf-8", "string")
    answers = {
        NOT_FOUND_BACKEND: rule("http-request return status 404 content-type text/html string", error_pages.NOT_FOUND_PAGE),
        UNAVAILABLE_BACKEND: rule("http-request return status 503", *text, "503 Service Unavailable"),
        HEALTHZ_BACKEND: rule("http-request return status 200"),
    }
    for name, answer in answers.items():
        yield section("backend", name, "from", "base", lines=[answer])


def bookkeeping_section(layout: Layout) -> Section:
    """A backend that no request reaches: HAProxy only holds the maps that some rule names."""
    lines = [
        rule("http-request set-var(txn.never)", f"var(txn.route),map_str({layout.map(name)})")
        for name in (Map.SLOTS, Map.STREAMS, Map.CERTIFICATES, Map.UPSTREAM_FILES, Map.RESPONSE_HEADERS)
    ]
    return section("backend", "bookkeeping", "from", "base", lines=lines)
