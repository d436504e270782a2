"""Redirects, each a backend that the program declares: a route with a redirect costs the others nothing."""

from collections.abc import Iterator
from itertools import product

from remora.haproxy.grammar import Directive, Section, rule, section

STATUSES = (301, 302, 303, 307, 308)
"""What HAProxy's `redirect location` accepts (section 4.2)."""


def to_https_backend(status: int, *, rich: bool = False) -> str:
    """The backend that sends a request for the same URL to HTTPS; a rich one runs the policy rules first."""
    return f"to-https-{status}{'-rich' * rich}"


def redirect_backend(status: int, *, rich: bool = False) -> str:
    """The backend that sends a request to the Location that the map `redirects` has for its route; rich as above."""
    return f"redirect-{status}{'-rich' * rich}"


def sections(
    *, defaults: str, redirects_map: str, port_in_location: int | None, policies: tuple[Directive, ...]
) -> Iterator[Section]:
    """The backends above; `policies` are the rules that the rich ones run first.

    The trailing slash of the target goes, as in ingress-nginx (a slash that ends the query too).
    """
    port = "" if port_in_location is None else f":{port_in_location}"
    location = f"https://%[req.hdr(host),host_only]{port}" + r'%[pathq,regsub("/$","")]'
    find = rule("http-request set-var(txn.location)", f"var(txn.route),map_str({redirects_map})")
    # A path is made absolute with the scheme of the connection and the Host as sent, port included.
    absolute = [
        rule(
            "http-request set-var-fmt(txn.location)",
            f"{scheme}://%[req.hdr(host)]%[var(txn.location)]",
            when="{ var(txn.location) -m beg / } " + is_scheme,
        )
        for scheme, is_scheme in (("http", "!{ ssl_fc }"), ("https", "{ ssl_fc }"))
    ]
    for status, rich in product(STATUSES, (False, True)):
        first = policies if rich else ()
        to_https = rule(f"http-request redirect code {status} location", location)
        yield section("backend", to_https_backend(status, rich=rich), "from", defaults, lines=(*first, to_https))
        send = rule(f"http-request redirect code {status} location", "%[var(txn.location)]")
        lines = (*first, find, *absolute, send)
        yield section("backend", redirect_backend(status, rich=rich), "from", defaults, lines=lines)
