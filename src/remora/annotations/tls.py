"""TLS of hosts (behaviour reference, part B, section 6)."""

from dataclasses import dataclass

from remora.annotations.declare import Scope, Support, annotation
from remora.annotations.values import ValueRefused, boolean, shown, trimmed

_STRONG = {
    f"{exchange}-{cipher}"
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA", "DHE-RSA")
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
}
_WEAKER = {
    *("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"),
    *("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
    *("DHE-RSA-AES128-SHA256", "DHE-RSA-AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256"),
    *("AES256-SHA256", "AES128-SHA", "AES256-SHA"),
}
_UNWANTED = {f"!{name}" for name in ("aNULL", "eNULL", "EXPORT", "DES", "3DES", "RC4", "MD5", "PSK", "SRP", "CAMELLIA", "DSS")}


def host_ciphers(text: str) -> str:
    """Names between colons or commas. HAProxy must find one that it has, or it would not start."""
    value = trimmed(text).replace(",", ":")
    names = value.split(":")
    for name in names:
        if name not in _STRONG | _WEAKER | _UNWANTED:
            raise ValueRefused(f"{shown(name)} is not a cipher that is known here")
    if not _STRONG.intersection(names):
        raise ValueRefused(f"{shown(value)} has no strong cipher")
    return value


@dataclass(frozen=True, slots=True)
class Tls:
    """How clients' TLS connections are taken."""

    ciphers: str = annotation(
        "ssl-ciphers",
        host_ciphers,
        default="",
        scope=Scope.HOST,
        support=Support.PARTIAL,
        differs="Names of strong ciphers, and what must not be (`!aNULL`); no groups such as `HIGH`. A host without a "
        "certificate of its own has the usual ones.",
        doc="The ciphers of TLS 1.2 offered to clients, best first.",
        accepts=("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384:!aNULL"),
        refuses=("HIGH", "NO-SUCH-CIPHER", "ECDHE-RSA-AES128-GCM-SHA256]", "ECDHE-RSA-AES128-GCM-SHA256 verify none", ""),
        haproxy=("crt-list ciphers",),
    )
    prefer_server_ciphers: bool = annotation(
        "ssl-prefer-server-ciphers",
        lambda text: boolean({"on": "true", "off": "false"}.get(trimmed(text), trimmed(text))),
        default=True,
        scope=Scope.HOST,
        support=Support.WITHOUT_EFFECT,
        differs="HAProxy's order counts for all hosts.",
        doc="Whether our order of ciphers counts.",
        accepts=("true", "on", "off"),
        refuses=("maybe",),
    )
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
