"""From annotations, Secrets and ConfigMaps to how pods are spoken to (behaviour reference, part B, section 5)."""

import re
from collections.abc import Iterator

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from remora.annotations.backend_tls import BackendProtocol, BackendTls
from remora.annotations.configmap import TlsSettings
from remora.annotations.registry import Parsed
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import ConfigMap, Secret
from remora.model import FASTCGI_VARIABLES, FastCgi, FileKind, Protocol, Upstream, UpstreamFile, UpstreamTls
from remora.translate.certificates import parse_key_pair
from remora.translate.references import find_referenced
from remora.translate.view import Unit, View

_PARAMETER = re.compile(r"[A-Za-z0-9._-]+")
_VALUE = re.compile(r"[A-Za-z0-9_${}/.-]*")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class Trust(msgspec.Struct, frozen=True, gc=False):
    """What a Secret holds for TLS towards pods, or why it cannot be used."""

    authority: UpstreamFile | None = None
    certificate: UpstreamFile | None = None
    refusal: str = ""


class TrustUnit(Unit[Trust], frozen=True):
    """The Secret of `proxy-ssl-secret`."""

    secret: NamespacedName

    def run(self, view: View) -> Trust:
        secret = view.find(Secret, self.secret)
        if secret is None:
            return Trust(refusal="it does not exist")
        return parse_trust(secret.data or {})


def parse_trust(data: dict[str, bytes]) -> Trust:
    """What is in a Secret's data, written anew. It needs a certificate with its key, an authority, or both."""
    authority = certificate = None
    if data.get("ca.crt"):
        try:
            found = x509.load_pem_x509_certificates(data["ca.crt"])
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return Trust(refusal="ca.crt is not a certificate in PEM")
        authority = UpstreamFile(FileKind.AUTHORITY, b"".join(one.public_bytes(Encoding.PEM) for one in dict.fromkeys(found)))
    if data.get("tls.crt") or data.get("tls.key"):
        pair = parse_key_pair(data.get("tls.crt", b""), data.get("tls.key", b""))
        if pair.refusal:
            return Trust(refusal=pair.refusal)
        certificate = UpstreamFile(FileKind.CERTIFICATE, pair.pem)
    if not (authority or certificate):
        return Trust(refusal="it has neither tls.crt with tls.key nor ca.crt")
    return Trust(authority, certificate)


class PodLink(msgspec.Struct, frozen=True, gc=False):
    """How an Ingress wants its pods spoken to: `protocol` as it is written, and what it says for TLS, if anything."""

    protocol: str = "HTTP"
    tls: UpstreamTls | None = None
    fastcgi: FastCgi | None = None

    def upstream(self, *, over_tls: bool) -> Upstream:
        """For requests that came by HTTPS, or by HTTP."""
        tls = self.tls or UpstreamTls()
        match self.protocol:
            case "HTTPS":
                return Upstream(tls=tls)
            case "AUTO_HTTP":
                return Upstream(tls=tls) if over_tls else Upstream()
            case "GRPC":
                return Upstream(Protocol.HTTP2)
            case "GRPCS":
                return Upstream(Protocol.HTTP2, tls)
            case "FCGI":
                return Upstream(Protocol.FASTCGI, fastcgi=self.fastcgi or FastCgi())
            case _:
                return Upstream()


def find_pod_link(view: View, parsed: Parsed, *, ingress: NamespacedName) -> tuple[PodLink, tuple[str, str]]:
    """What the annotations ask for; and if that cannot be had, which of them and why."""
    group = parsed.of(BackendProtocol)
    tls, refusal = _find_tls(view, parsed, ingress)
    if refusal:
        return PodLink(), ("proxy-ssl-secret", refusal)
    fastcgi = None
    if group.protocol == "FCGI":
        fastcgi, refusal = _find_fastcgi(view, parsed, ingress)
        if refusal:
            return PodLink(), ("fastcgi-params-configmap", refusal)
    return PodLink(group.protocol, tls, fastcgi), ("", "")


def _find_tls(view: View, parsed: Parsed, ingress: NamespacedName) -> tuple[UpstreamTls | None, str]:
    group = parsed.of(BackendTls)
    if not group.secret:
        return None, ""
    secret, refusal = find_referenced(view, Secret, group.secret, parsed=parsed, namespace=ingress.namespace)
    if secret is None:
        return None, refusal
    name = secret.key
    trust = view.ask(TrustUnit(name))
    if trust.refusal:
        return None, f"Secret {name} cannot be used: {trust.refusal}"
    if group.verify and trust.authority is None:
        return None, f"Secret {name} has no ca.crt, by which pods could be verified"
    tls = UpstreamTls(
        verifies=group.verify,
        name=group.name,
        sends_name=group.server_name,
        # ingress-nginx states versions and ciphers only where there is an authority.
        protocols=group.protocols if trust.authority else (),
        ciphers=group.ciphers if trust.authority else "",
        authority=trust.authority.name if trust.authority and group.verify else "",
        certificate=trust.certificate.name if trust.certificate else "",
    )
    return tls, ""


def _find_fastcgi(view: View, parsed: Parsed, ingress: NamespacedName) -> tuple[FastCgi | None, str]:
    group = parsed.of(BackendProtocol)
    if not group.fastcgi_params:
        return FastCgi(group.fastcgi_index), ""
    found, refusal = find_referenced(view, ConfigMap, group.fastcgi_params, parsed=parsed, namespace=ingress.namespace)
    if found is None:
        return None, refusal
    where = found.key
    parameters = []
    for key, text in sorted((found.data or {}).items()):
        if not _PARAMETER.fullmatch(key) or not _VALUE.fullmatch(text):
            return None, f"{key} in ConfigMap {where}, or its value, has a character that it cannot have"
        pieces = tuple(split_value(text))
        for variable in pieces[1::2]:
            if variable not in FASTCGI_VARIABLES and not variable.startswith("http_"):
                return None, f"{key} in ConfigMap {where} has the variable ${variable}, which is not known"
        if "$" in "".join(pieces[::2]):
            return None, f"{key} in ConfigMap {where} has a dollar sign without a variable"
        if any(pieces):
            parameters.append((key, pieces))
    return FastCgi(group.fastcgi_index, tuple(parameters)), ""


def split_value(text: str) -> Iterator[str]:
    """Text and names of variables in turns."""
    position = 0
    for found in _VARIABLE.finditer(text):
        yield text[position : found.start()]
        yield found[1] or found[2]
        position = found.end()
    yield text[position:]


def with_link_of_host(parsed: Parsed, link: PodLink, of_host: UpstreamTls | None) -> PodLink:
    """Where an Ingress says nothing of TLS towards pods, what the first of its host says counts, as in ingress-nginx."""
    if link.tls is not None or of_host is None or parsed.defaults.of(TlsSettings).proxy_location_only:
        return link
    return msgspec.structs.replace(link, tls=of_host)


def link_refused(ref: ObjectRef, annotation: str, why: str) -> Problem:
    """What the owner of an Ingress is told that names what is not to be had."""
    message = f"{annotation} cannot be honoured: {why}"
    consequence = "every path of this Ingress answers 503"
    return Problem(ref, "metadata.annotations", "PodLinkUnusable", message, consequence, Severity.ERROR)


def link_problems(ref: ObjectRef, link: PodLink) -> Iterator[Problem]:
    """What is well-formed and does less than it seems to."""
    if link.tls and link.tls.verifies and not link.tls.name:
        message = "proxy-ssl-verify without proxy-ssl-name: any certificate of the authority is taken, whatever name it has"
        yield Problem(ref, "metadata.annotations", "PodNameNotVerified", message, "pods are verified by their authority alone")
