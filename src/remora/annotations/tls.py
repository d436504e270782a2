"""TLS of hosts (behaviour reference, part B, section 6)."""

from dataclasses import dataclass

from remora.annotations.declare import Scope, Support, annotation, planned
from remora.annotations.values import boolean


@dataclass(frozen=True, slots=True)
class Tls:
    """How clients' TLS connections are taken."""

    ciphers: str = planned("ssl-ciphers", "The ciphers offered to clients.", scope=Scope.HOST)
    prefer_server_ciphers: str = planned("ssl-prefer-server-ciphers", "Whether our order of ciphers counts.", scope=Scope.HOST)
    passthrough: bool = annotation(
        "ssl-passthrough",
        boolean,
        default=False,
        scope=Scope.HOST,
        support=Support.PARTIAL,
        differs="Connections go to the pods of the Service of path `/` and not to its cluster address.",
        doc="`true` sends TLS connections for the host on as they are, with `--enable-ssl-passthrough`.",
        accepts=("true", "false"),
        refuses=("on",),
        haproxy=("req.ssl_sni",),
    )
