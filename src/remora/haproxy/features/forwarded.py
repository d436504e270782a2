"""What a pod is told about the client: the headers of ingress-nginx, always set, so that none from outside survives.

Only with `use-forwarded-headers` what the client says of itself is taken over, and then it decides about redirects too: the
scheme of a request is what `X-Forwarded-Proto` holds after these rules.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features.client_address import PEER
from remora.haproxy.features.rare_headers import RARE
from remora.haproxy.grammar import NEW_IDENTIFIER, Directive, rule

_SET = "http-request set-header"
_HOST = "txn.forwarded_host"
_IS_HOST = "[A-Za-z0-9._-]+(:[0-9]+)?"


def request_rules(options: ProxyOptions, *, scheme: str, port: int) -> Iterator[Directive]:
    """In the order of the reference. `X-Forwarded-Port` is 443 for the HTTPS listener, whatever its number."""
    yield from _cleaning_rules(options)
    told = options.use_forwarded_headers
    said_for = f"req.fhdr({options.forwarded_for_header})"
    said_host = f"req.fhdr({options.forwarded_host_header})"
    moved = f"{{ req.hdr({options.forwarded_for_header}) -m found }}"
    yield rule(f"{_SET} X-Original-Forwarded-For", f"%[{said_for}]", when=f"{RARE} {moved}")
    moved_host = f"{{ req.hdr({options.forwarded_host_header}) -m found }}"
    yield rule(f"{_SET} X-Original-Forwarded-Host", f"%[{said_host}]", when=f"{RARE} {moved_host}")
    if options.generate_request_id:
        yield rule(f"{_SET} X-Request-ID", f"%[{NEW_IDENTIFIER}]", when="!{ req.hdr(x-request-id) -m found }")
    yield rule(f"{_SET} X-Real-IP", "%[src]")
    if told and options.compute_full_forwarded_for:
        yield rule(f"{_SET} X-Forwarded-For", f"%[{said_for}], %[var({PEER})]", when=moved)
        yield rule(f"{_SET} X-Forwarded-For", f"%[var({PEER})]", when=f"!{moved}")
    else:
        yield rule(f"{_SET} X-Forwarded-For", "%[src]")
    if told:
        yield rule(f"http-request set-var({_HOST})", "req.hdr(x-forwarded-host,1)")
        is_none = rf"!{{ var({_HOST}) -m reg ^{_IS_HOST}$ }}"
        yield rule(f"http-request unset-var({_HOST})", when=is_none)
        yield rule(f"{_SET} X-Forwarded-Host", f"%[var({_HOST})]", when=f"{{ var({_HOST}) -m found }}")
        yield rule(f"{_SET} X-Forwarded-Host", "%[req.hdr(host)]", when=f"!{{ var({_HOST}) -m found }}")
    else:
        yield rule(f"{_SET} X-Forwarded-Host", "%[req.hdr(host)]")
    yield from _scheme_and_port(options, scheme=scheme, port=port)
    if options.proxy_add_original_uri_header:
        yield rule(f"{_SET} X-Original-URI", "%[pathq]")
    yield from _connection_rules()


def _connection_rules() -> Iterator[Directive]:
    """What holds for the client's connection ends here (RFC 9110 section 7.6.1), but for the wish to change the protocol.

    A pod must not be told by a client that what we say of that client is for one hop only. `TE` stays: gRPC asks for it.
    """
    wants_upgrade = "{ req.hdr(connection) -i -m str upgrade }"
    yield rule(f"{_SET} Connection", "upgrade", when=f"{RARE} {wants_upgrade}")
    yield rule("http-request del-header Connection", when=f"{RARE} !{wants_upgrade}")
    yield rule("http-request del-header ^(proxy|keep-alive|http2-settings)$ -m reg", when=RARE)


def _cleaning_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Drops headers that an application may take for others."""
    if options.ignore_invalid_headers:
        fine = "A-Za-z0-9_-" if options.enable_underscores_in_headers else "A-Za-z0-9-"
        yield rule(f"http-request del-header [^{fine}] -m reg", when=RARE)
    elif not options.enable_underscores_in_headers:
        yield rule("http-request del-header _ -m sub", when=RARE)


def _scheme_and_port(options: ProxyOptions, *, scheme: str, port: int) -> Iterator[Directive]:
    proto, told_port = "X-Forwarded-Proto", "X-Forwarded-Port"
    has_proto = f"{{ req.hdr({proto.lower()}) -m found }}"
    has_port = f"{{ req.fhdr({told_port.lower()}) -m reg ^[0-9]{{1,5}}$ }}"
    other_proto = f"!{has_proto}" if options.use_forwarded_headers else ""
    other_port = f"!{has_port}" if options.use_forwarded_headers else ""
    if options.use_forwarded_headers:  # of several, all become one
        yield rule(f"{_SET} {proto}", "%[req.fhdr(x-forwarded-proto)]", when=has_proto)
        yield rule(f"{_SET} {told_port}", "%[req.fhdr(x-forwarded-port)]", when=has_port)
    if options.use_proxy_protocol and scheme == "http":
        # Whoever sent the PROXY header may have ended TLS: the port that the client went to tells.
        yield rule("http-request set-var(txn.scheme) str(http)")
        yield rule("http-request set-var(txn.scheme) str(https)", when="{ dst_port 443 }")
        yield rule(f"{_SET} {proto}", "%[var(txn.scheme)]", when=other_proto)
        yield rule(f"{_SET} {told_port}", "%[dst_port]", when=other_port)
    else:
        yield rule(f"{_SET} {told_port}", str(port), when=other_port)
        yield rule(f"{_SET} {proto}", scheme, when=other_proto)
    for name in ("X-Forwarded-Scheme", "X-Scheme"):
        yield rule(f"{_SET} {name}", f"%[req.hdr({proto.lower()})]" if options.scheme_is_told else scheme)


def taking_over_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of a frontend to which another one passes requests on: it knows by headers what that one found."""
    if options.use_forwarded_headers:
        yield rule(f"http-request set-var({_HOST})", "req.hdr(x-forwarded-host)")


def host_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of backends: the Host for pods and redirects. It is set after the route was found, by the Host that was sent."""
    if options.use_forwarded_headers:
        yield rule(f"{_SET} Host", f"%[var({_HOST})]", when=f"{{ var({_HOST}) -m found }}")


def is_scheme(options: ProxyOptions, scheme: str) -> str:
    """The condition for a request's scheme, `http` or `https`."""
    if options.scheme_is_told:
        return f"{'!' if scheme == 'https' else ''}{{ req.hdr(x-forwarded-proto) -m str http }}"
    return "{ ssl_fc }" if scheme == "https" else "!{ ssl_fc }"
