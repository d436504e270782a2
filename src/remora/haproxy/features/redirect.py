"""Redirects, each a backend that the program declares: a route with a redirect costs the others nothing."""

from collections.abc import Iterator
from itertools import product
from typing import assert_never

from remora.core.options import ProxyOptions
from remora.haproxy.features import forwarded, rewrite
from remora.haproxy.grammar import Directive, Section, rule, section
from remora.model import HttpsRedirect, LocationBase, RedirectTo, RedirectToHost

STATUSES = (301, 302, 303, 307, 308)
"""What HAProxy's `redirect location` accepts (section 4.2)."""

TEXT_STATUSES = (300, 304, 305, 306)
"""The others of 3xx: answered without a Location, the URL as the body, as nginx does."""

_RICH = "redirects-rich"
"""The defaults of rich backends."""

_HOST = "%[req.hdr(host)]"
_HOST_NAME = "%[req.hdr(host),host_only,lower]"
_WITHOUT_SLASH = r'pathq,regsub("/$","")'
"""A slash that ends the query goes too, as in ingress-nginx."""

_KEEPS_SLASH, _NAMES_PORT = "s", "p"
_WITHOUT_PORT, _AS_IT_IS = "!", "="


def to_https_backend(status: int, *, rich: bool = False) -> str:
    """The backend that sends a request for the same URL to HTTPS; a rich one runs the policy rules first, and looks up how."""
    return f"to-https-{status}{'-rich' * rich}"


def redirect_backend(status: int, *, rich: bool = False) -> str:
    """The backend that sends a request to the Location that the map `redirects` has for its route; rich as above."""
    return f"redirect-{status}{'-rich' * rich}"


REWRITTEN_BACKEND = "redirect-rewritten"
"""The backend that rewrites the path and sends the request to it on the host that the map `redirects` has for its route."""


def to_host_backend(status: int, *, rich: bool = False) -> str:
    """The backend that sends a request to the host that the map `redirects` has for its route; rich as above."""
    return f"to-host-{status}{'-rich' * rich}"


def location_entry(action: RedirectTo | RedirectToHost) -> str:
    """The value of the map `redirects` for a route that redirects; a mark tells on what a path is based."""
    match action:
        case RedirectToHost(host=host):
            return host
        case RedirectTo(location=location, base=base):
            if not location.startswith("/"):
                return location
            marks = {LocationBase.HOST: "", LocationBase.HOST_WITHOUT_PORT: _WITHOUT_PORT, LocationBase.NONE: _AS_IT_IS}
            return marks[base] + location
        case _:
            assert_never(action)


def https_entry(redirect: HttpsRedirect) -> str:
    """The value of the map `redirects` for a route that redirects to HTTPS only; "" if it needs none."""
    return _KEEPS_SLASH * redirect.keeps_slash + _NAMES_PORT * redirect.names_port


def sections(
    *,
    defaults: str,
    redirects_map: str,
    rewrites_map: str,
    ports: tuple[int, int],
    policies: tuple[Directive, ...],
    options: ProxyOptions,
) -> Iterator[Section]:
    """The backends above; `policies` are the rules that the rich ones run first. `ports` are those of HTTP and of HTTPS."""
    host = tuple(forwarded.host_rules(options))
    find = rule("http-request set-var(txn.location)", f"var(txn.route),map_str({redirects_map})")
    yield section("defaults", _RICH, "from", defaults, lines=policies)
    for status, rich in product((*STATUSES, *TEXT_STATUSES), (False, True)):
        origin = ("from", _RICH if rich else defaults)
        lines = (*host, find, *_absolute_location(options), _answer(status))
        yield section("backend", redirect_backend(status, rich=rich), *origin, lines=lines)
        if status in TEXT_STATUSES:
            continue
        to_host = (*host, find, *_send_to_host(status, ports, options))
        yield section("backend", to_host_backend(status, rich=rich), *origin, lines=to_host)
        to_https = (*host, find, *_send_to_https(status, ports[1])) if rich else (*host, _plainly_to_https(status))
        yield section("backend", to_https_backend(status, rich=rich), *origin, lines=to_https)
    moved = rule("http-request redirect code 302 location", "%[var(txn.location)]%[pathq]")
    lines = (find, *rewrite.request_rules(rewrites_map), moved)
    yield section("backend", REWRITTEN_BACKEND, "from", _RICH, lines=lines)


def _answer(status: int) -> Directive:
    if status in STATUSES:
        return rule(f"http-request redirect code {status} location", "%[var(txn.location)]")
    if status == 304:  # it has no body
        return rule("http-request return status 304")
    return rule(f"http-request return status {status} content-type text/html lf-string", "%[var(txn.location)]")


def _absolute_location(options: ProxyOptions) -> Iterator[Directive]:
    """A path is made absolute with the scheme of the connection and the Host, unless it is to stay as it is."""
    location = "http-request set-var-fmt(txn.location)"
    rest = "%[var(txn.location),bytes(1)]"
    for scheme in ("http", "https"):
        is_scheme = forwarded.is_scheme(options, scheme)
        found = f"{scheme}://{_HOST}%[var(txn.location)]"
        yield rule(location, found, when=f"{{ var(txn.location) -m beg / }} {is_scheme}")
        without_port = f"{scheme}://{_HOST_NAME}{rest}"
        yield rule(location, without_port, when=f"{{ var(txn.location) -m beg {_WITHOUT_PORT} }} {is_scheme}")
    yield rule(location, rest, when=f"{{ var(txn.location) -m beg {_AS_IT_IS} }}")


def _plainly_to_https(status: int) -> Directive:
    return rule(f"http-request redirect code {status} location", f"https://%[req.hdr(host),host_only]%[{_WITHOUT_SLASH}]")


def _send_to_https(status: int, port: int) -> Iterator[Directive]:
    yield rule("http-request set-var(txn.target)", _WITHOUT_SLASH)
    yield rule("http-request set-var(txn.target)", "pathq", when=f"{{ var(txn.location) -m sub {_KEEPS_SLASH} }}")
    send = f"http-request redirect code {status} location"
    host = "https://%[req.hdr(host),host_only]"
    yield rule(send, f"{host}:{port}%[var(txn.target)]", when=f"{{ var(txn.location) -m sub {_NAMES_PORT} }}")
    yield rule(send, f"{host}%[var(txn.target)]")


def _send_to_host(status: int, ports: tuple[int, int], options: ProxyOptions) -> Iterator[Directive]:
    """The port is always there, as in ingress-nginx; for HTTPS it is the one that X-Forwarded-Port tells."""
    for scheme, own_port in (("http", ports[0]), ("https", 443)):
        port = "%[req.hdr(x-forwarded-port)]" if options.scheme_is_told else str(own_port)
        location = f"{scheme}://%[var(txn.location)]:{port}%[{_WITHOUT_SLASH}]"
        yield rule(f"http-request redirect code {status} location", location, when=forwarded.is_scheme(options, scheme))
