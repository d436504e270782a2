"""What a pod is told about the client: the headers of ingress-nginx, always set, so that none from outside survives."""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule


def request_rules(*, scheme: str, port: int) -> Iterator[Directive]:
    """In the order of the reference. `X-Forwarded-Port` is 443 for the HTTPS listener, whatever its number."""
    set_header = "http-request set-header"
    moved = "{ req.hdr(x-forwarded-for) -m found }"
    yield rule(f"{set_header} X-Original-Forwarded-For", "%[req.fhdr(x-forwarded-for)]", when=moved)
    moved = "{ req.hdr(x-forwarded-host) -m found }"
    yield rule(f"{set_header} X-Original-Forwarded-Host", "%[req.fhdr(x-forwarded-host)]", when=moved)
    yield rule(f"{set_header} X-Request-ID", "%[uuid(),regsub(-,,g)]", when="!{ req.hdr(x-request-id) -m found }")
    yield rule(f"{set_header} X-Real-IP", "%[src]")
    yield rule(f"{set_header} X-Forwarded-For", "%[src]")
    yield rule(f"{set_header} X-Forwarded-Host", "%[req.hdr(host)]")
    yield rule(f"{set_header} X-Forwarded-Port", str(port))
    for name in ("X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Scheme"):
        yield rule(f"{set_header} {name}", scheme)
    yield rule("http-request del-header Proxy")
