"""TLS of hosts (behaviour reference, part B, section 6)."""

from dataclasses import dataclass

from remora.annotations.declare import Scope, is_off, planned


@dataclass(frozen=True, slots=True)
class Tls:
    """How clients' TLS connections are taken."""

    ciphers: str = planned("ssl-ciphers", "The ciphers offered to clients.", scope=Scope.HOST)
    prefer_server_ciphers: str = planned("ssl-prefer-server-ciphers", "Whether our order of ciphers counts.", scope=Scope.HOST)
    passthrough: str = planned("ssl-passthrough", "Sends TLS connections on to the pods.", scope=Scope.HOST, inert=is_off)
