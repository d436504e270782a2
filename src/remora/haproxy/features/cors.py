"""Cross-origin resource sharing: preflight requests are answered here, and the headers are on every answer of the route.

The rules stand before all others of a backend, so that a preflight is answered although the route redirects or has no
servers. A list of origins is entries `route/origin` of a map of its own: a request's origin is found as it is, or with its
first label replaced by `*`, whatever the length of the list.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule
from remora.model import Cors

_ANY = "*"
_LISTED = "="

_ALLOWED = "{ var(txn.cors_origin) -m found }"
_ANY_LABEL = r'regsub("^([a-z]+://)[a-z0-9-]+","\1*")'


def request_rules(cors_map: str, origins_map: str) -> Iterator[Directive]:
    """Finds `txn.cors_origin`, what the answer allows; without a policy that costs one look-up and three tests."""
    yield rule("http-request set-var(txn.cors)", f"var(txn.route),map_str({cors_map})")
    yield rule(f"http-request set-var(txn.cors_origin) str({_ANY})", when=f"{{ var(txn.cors) -m beg {_ANY} }}")
    is_listed = f"{{ var(txn.cors) -m beg {_LISTED} }}"
    yield rule("http-request set-var(txn.origin)", "req.fhdr(origin),lower", when=is_listed)
    origin = f"{{ var(txn.route),concat(/,txn.origin),map_str({origins_map}) -m found }}"
    yield rule("http-request set-var(txn.cors_origin)", "req.fhdr(origin)", when=f"{is_listed} {origin}")
    # Most origins are listed as they are, and a pattern costs a regular expression.
    is_unknown = f"{is_listed} !{_ALLOWED}"
    yield rule("http-request set-var(txn.origin_pattern)", f"var(txn.origin),{_ANY_LABEL}", when=is_unknown)
    pattern = f"{{ var(txn.route),concat(/,txn.origin_pattern),map_str({origins_map}) -m found }}"
    yield rule("http-request set-var(txn.cors_origin)", "req.fhdr(origin)", when=f"{is_unknown} {pattern}")
    is_preflight = f"{{ method OPTIONS }} {_ALLOWED}"
    yield rule("http-request set-var(txn.preflight) bool(true)", when=is_preflight)
    yield rule("http-request return status 204", when=is_preflight)


def response_rules() -> Iterator[Directive]:
    """Replaces the pod's headers of the same names."""
    set_header = "http-after-response set-header"
    # `return` has no content type where it has no content, and ingress-nginx sends this one.
    yield rule(f"{set_header} Content-Type", "text/plain charset=UTF-8", when="{ var(txn.preflight) -m bool }")
    yield rule(f"{set_header} Access-Control-Allow-Origin", "%[var(txn.cors_origin)]", when=_ALLOWED)
    is_true = f"{_ALLOWED} {{ var(txn.cors),field(2,|) -m str true }}"
    yield rule(f"{set_header} Access-Control-Allow-Credentials", "true", when=is_true)
    yield rule(f"{set_header} Access-Control-Allow-Methods", "%[var(txn.cors),field(3,|)]", when=_ALLOWED)
    yield rule(f"{set_header} Access-Control-Allow-Headers", "%[var(txn.cors),field(-3,|)]", when=_ALLOWED)
    is_exposing = f"{_ALLOWED} {{ var(txn.cors),field(-2,|) -m len gt 0 }}"
    yield rule(f"{set_header} Access-Control-Expose-Headers", "%[var(txn.cors),field(-2,|)]", when=is_exposing)
    yield rule(f"{set_header} Access-Control-Max-Age", "%[var(txn.cors),field(-1,|)]", when=_ALLOWED)


def cors_entry(cors: Cors) -> str:
    """The value of the map `cors`: which origins, credentials, methods, headers, exposed headers, age; by `|`.

    The last three are counted from the end, since `field` looks at every byte on its way, and the list of headers is long.
    """
    which = _ANY if cors.origins is None else _LISTED
    credentials = "true" if cors.credentials else "false"
    return "|".join((which, credentials, cors.methods, cors.headers, cors.expose_headers, str(cors.max_age)))


def origin_keys(route: str, cors: Cors | None) -> Iterator[str]:
    """The keys of a route in the map `cors-origins`."""
    yield from (f"{route}/{origin}" for origin in (cors and cors.origins) or ())
