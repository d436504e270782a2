"""Headers that the ConfigMap sets on every request to pods and on every answer.

A value is what stands between variables and the variables' names, in turn: text goes in literally, and of variables only those
below have a meaning.
"""

from collections.abc import Iterator, Sequence

from remora.core.options import HEADER_VARIABLE, HeaderValue
from remora.haproxy.grammar import Directive, directive, literal

_FETCHES = {
    "remote_addr": "src",
    "scheme": "ssl_fc,iif(https,http)",
    "ssl_protocol": "ssl_fc_protocol",
    "ssl_cipher": "ssl_fc_cipher",
    "host": "req.hdr(host),host_only,lower",
    "http_host": "req.hdr(host)",
    "request_uri": "pathq",
    "request_method": "method",
}


def request_rules(headers: Sequence[tuple[str, HeaderValue]]) -> Iterator[Directive]:
    """Of backends, before a route's own rules, which go before them."""
    yield from _rules("http-request", headers)


def response_rules(headers: Sequence[tuple[str, HeaderValue]]) -> Iterator[Directive]:
    """Of frontends."""
    yield from _rules("http-after-response", headers)


def _rules(ruleset: str, headers: Sequence[tuple[str, HeaderValue]]) -> Iterator[Directive]:
    for name, value in headers:
        text = "".join(f"%[{_fetch(one)}]" if number % 2 else literal(one) for number, one in enumerate(value))
        yield directive(ruleset, "set-header", name, text) if text else directive(ruleset, "del-header", name)


def _fetch(variable: str) -> str:
    header = variable.removeprefix(HEADER_VARIABLE)
    if variable in _FETCHES:
        return _FETCHES[variable]
    return f"req.fhdr({header.replace('_', '-')})"
