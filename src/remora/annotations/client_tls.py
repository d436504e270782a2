"""Client certificates (behaviour reference, part B, section 1).

The texts that guard a host are judged in `translate.client_tls`, not here: one that is refused closes the paths of its Ingress,
but here it must close the whole host, whoever else has paths there.
"""

import re
from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation
from remora.annotations.values import ValueRefused, boolean, choice, integer, shown, trimmed, url

CHECKS = ("on", "off", "optional", "optional_no_ca")


def as_written(text: str) -> str:
    """The text without white space at its ends."""
    return text.strip()


def error_page(text: str) -> str:
    """An absolute URL."""
    value = url(trimmed(text))
    if not re.match(r"https?://[A-Za-z0-9]", value):
        raise ValueRefused(f"{shown(value)} does not begin with http:// or https:// and a host")
    return value


def depth(text: str) -> int:
    """A positive number."""
    value = integer(trimmed(text))
    if value < 1:
        raise ValueRefused(f"{value} is not positive")
    return value


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Which clients must show a certificate."""

    secret: str = annotation(
        "auth-tls-secret",
        as_written,
        default="",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="A Secret without `ca.crt` closes the host (403), as a missing one does. A host without a certificate of its "
        "own, and the one for any host, are closed too.",
        doc="The Secret, `namespace/name`, with the authority of clients' certificates (`ca.crt`) and, if wanted, the list of "
        "those that are revoked (`ca.crl`). The oldest Ingress of the host that names one decides.",
        accepts=("shop/clients",),
        haproxy=("crt-list ca-file", "crt-list crl-file", "http-request deny"),
    )
    verify_client: str = annotation(
        "auth-tls-verify-client",
        choice(*CHECKS),
        default="",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="`on` without `auth-tls-secret` closes the host (403). A request for one host on the connection of another is "
        "answered 421 only if the two have different authorities. Requests by plain HTTP are refused too.",
        doc="`on` (as without it) demands a certificate, `optional` takes none or a good one, `optional_no_ca` one of any "
        "authority as well, `off` asks for none.",
        accepts=CHECKS,
        refuses=("true", "ON", ""),
        haproxy=("crt-list verify", "http-request deny"),
    )
    verify_depth: int = annotation(
        "auth-tls-verify-depth",
        depth,
        default=1,
        guards=True,
        scope=Scope.HOST,
        support=Support.PARTIAL,
        differs="Counts the authorities that the client sends; those that stand in `ca.crt` are trusted as they are.",
        doc="How long the chain may be.",
        accepts=("1", "3"),
        refuses=("0", "two"),
        haproxy=("http-request deny",),
    )
    error_page: str = annotation(
        "auth-tls-error-page",
        error_page,
        default="",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="A path of the host is not known; clients are answered 400 then.",
        doc="The URL to which clients are sent (302) that have no certificate or a bad one.",
        accepts=("https://example.com/no-certificate.html", "http://example.com/help?a=b"),
        refuses=("/page", "example.com", "https://a\nb", "https://example.com/|x"),
        haproxy=("http-request redirect",),
    )
    pass_certificate: bool = annotation(
        "auth-tls-pass-certificate-to-upstream",
        boolean,
        default=False,
        guards=True,
        scope=Scope.HOST,
        doc="Sends the certificate on to the pod, in `ssl-client-cert`.",
        accepts=("true", "false"),
        refuses=("on", "yes"),
        haproxy=("http-request set-header",),
    )
    match_cn: str = annotation(
        "auth-tls-match-cn",
        as_written,
        default="",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="What is no regular expression closes the host (403). A few rare forms are not known; see the differences.",
        doc="A regular expression that begins with `CN=`; a certificate in whose subject it finds nothing is refused (403).",
        accepts=("CN=shop-.*", "CN=(a|b)$"),
        haproxy=("http-request deny",),
    )
