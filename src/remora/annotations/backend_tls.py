"""The protocol spoken with pods, and TLS towards them (behaviour reference, part B, section 5)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Support, annotation
from remora.annotations.values import ValueRefused, choice, integer, shown, trimmed
from remora.core.names import NamespacedName

PROTOCOLS = ("HTTP", "HTTPS", "AUTO_HTTP", "GRPC", "GRPCS", "FCGI")

_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


def protocol(text: str) -> str:
    """One of the protocols, in any case."""
    return choice(*PROTOCOLS)(trimmed(text).upper())


def secret_name(text: str) -> str:
    """`namespace/name`."""
    value = trimmed(text)
    try:
        return str(NamespacedName.parse(value))
    except ValueError as error:
        raise ValueRefused(f"{shown(value)} is not namespace/name") from error


def server_name(text: str) -> str:
    """A DNS name."""
    value = trimmed(text).lower()
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", value):
        raise ValueRefused(f"{shown(value)} is not the name of a host")
    return value


def cipher_list(text: str) -> str:
    """Names between colons, as OpenSSL reads them. Whether they are any is found out later."""
    value = trimmed(text)
    if not re.fullmatch(r"[A-Za-z0-9:+!@=_.-]{1,1000}", value):
        raise ValueRefused(f"{shown(value)} is not a list of ciphers between colons")
    return value


def versions(text: str) -> tuple[str, ...]:
    """Versions of TLS between blanks."""
    found = tuple(dict.fromkeys(trimmed(text).split()))
    for version in found:
        if version not in _VERSIONS:
            raise ValueRefused(f"{shown(version)} is not one of {', '.join(_VERSIONS)}")
    # HAProxy takes a lowest and a highest; those before 1.2 are not spoken by its TLS library.
    usable = tuple(version for version in found if version in ("TLSv1.2", "TLSv1.3"))
    if not usable:
        raise ValueRefused("versions before TLSv1.2 are not spoken any more")
    return usable


def depth(text: str) -> int:
    """A positive number."""
    value = integer(trimmed(text))
    if value < 1:
        raise ValueRefused(f"{value} is not positive")
    return value


def file_name(text: str) -> str:
    """Letters, digits and `. - _`."""
    value = trimmed(text)
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", value):
        raise ValueRefused(f"{shown(value)} is not a file's name of letters, digits and . - _")
    return value


def map_name(text: str) -> str:
    """`name` or `namespace/name`."""
    value = trimmed(text)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*(/[a-z0-9][a-z0-9.-]*)?", value):
        raise ValueRefused(f"{shown(value)} is not the name of a ConfigMap")
    return value


@dataclass(frozen=True, slots=True)
class BackendProtocol:
    """How pods are spoken to."""

    protocol: str = annotation(
        "backend-protocol",
        protocol,
        default="HTTP",
        doc="What pods speak: HTTP, HTTPS, GRPC, GRPCS, FCGI, or AUTO_HTTP, which is HTTPS for clients that came by HTTPS.",
        accepts=("HTTP", "HTTPS", "https", "AUTO_HTTP", "GRPC", "GRPCS", "grpc", "FCGI"),
        refuses=("HTTP2", "h2c", "AJP", ""),
        haproxy=("server ssl", "server proto", "use-fcgi-app"),
    )
    http_version: str = annotation(
        "proxy-http-version",
        choice("1.0", "1.1"),
        default="1.1",
        global_key="proxy-http-version",
        support=Support.PARTIAL,
        differs="HAProxy speaks HTTP/1.1 to pods; with `1.0` a Problem says so.",
        doc="The version of HTTP spoken with pods.",
        accepts=("1.1", "1.0"),
        refuses=("2", "HTTP/1.1", ""),
    )
    fastcgi_index: str = annotation(
        "fastcgi-index",
        file_name,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="The file that stands for a folder in FastCGI.",
        accepts=("index.php", "app_1-2.php"),
        refuses=("a b", "/index.php", "x;y"),
        haproxy=("fcgi-app index",),
    )
    fastcgi_params: str = annotation(
        "fastcgi-params-configmap",
        map_name,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="A change is a reload, which fails no request. Variables that HAProxy does not know close the paths of the "
        "Ingress; see the differences.",
        doc="The ConfigMap with FastCGI's parameters.",
        accepts=("php", "shop/php"),
        refuses=("a b", "../php", "a/b/c"),
        haproxy=("fcgi-app set-param",),
    )


@dataclass(frozen=True, slots=True)
class BackendTls:
    """How pods that speak TLS are verified, and what they are shown."""

    secret: str = annotation(
        "proxy-ssl-secret",
        secret_name,
        default="",
        risk=Risk.MEDIUM,
        on_invalid=OnInvalid.DENY,
        doc="The Secret, `namespace/name`, with our certificate for pods (`tls.crt`, `tls.key`) and the authority of theirs "
        "(`ca.crt`). The other annotations of this kind need it.",
        accepts=("shop/pods",),
        refuses=("pods", "a/b/c", "shop/"),
        haproxy=("server crt", "server ca-file"),
    )
    verify: bool = annotation(
        "proxy-ssl-verify",
        lambda text: choice("on", "off")(trimmed(text)) == "on",
        default=False,
        doc="`on` refuses pods whose certificate is not of the authority.",
        accepts=("on", "off"),
        refuses=("true", "yes"),
        haproxy=("server verify",),
    )
    verify_depth: int = annotation(
        "proxy-ssl-verify-depth",
        depth,
        default=1,
        support=Support.WITHOUT_EFFECT,
        differs="HAProxy takes chains of any length up to the authority.",
        doc="How long the chain of pods' certificates may be.",
        accepts=("1", "3"),
        refuses=("0", "two"),
    )
    ciphers: str = annotation(
        "proxy-ssl-ciphers",
        cipher_list,
        default="",
        risk=Risk.MEDIUM,
        doc="The ciphers of TLS 1.2 used with pods.",
        accepts=("HIGH:!aNULL:!MD5", "DEFAULT", "ECDHE-RSA-AES128-GCM-SHA256"),
        refuses=("HIGH MD5", "a;b"),
        haproxy=("server ciphers",),
    )
    protocols: tuple[str, ...] = annotation(
        "proxy-ssl-protocols",
        versions,
        default=("TLSv1.2",),
        support=Support.PARTIAL,
        differs="TLSv1 and TLSv1.1 are left out.",
        doc="The TLS versions used with pods.",
        accepts=("TLSv1.2 TLSv1.3", "TLSv1.3", "TLSv1.1 TLSv1.2"),
        refuses=("TLSv1.2,TLSv1.3", "SSLv3", "TLSv1.1"),
        haproxy=("server ssl-min-ver", "server ssl-max-ver"),
    )
    name: str = annotation(
        "proxy-ssl-name",
        server_name,
        default="",
        risk=Risk.HIGH,
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="Without it the name in a pod's certificate is not looked at, and none is sent; ingress-nginx takes "
        "`upstream_balancer`. No variables.",
        doc="The name that pods' certificates must have, and that is sent to them.",
        accepts=("pods.example", "web.shop.svc"),
        refuses=("a b", "$host", "x)"),
        haproxy=("server verifyhost", "server sni"),
    )
    server_name: bool = annotation(
        "proxy-ssl-server-name",
        lambda text: choice("on", "off")(trimmed(text)) == "on",
        default=False,
        doc="`on` tells pods the name that is meant (SNI).",
        accepts=("on", "off"),
        refuses=("true",),
        haproxy=("server sni",),
    )
