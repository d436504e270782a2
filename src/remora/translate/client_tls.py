"""From annotations and Secrets to what clients of a host must show, and to how TLS is spoken with them.

What is said of client certificates holds for a host as a whole, whoever's path it is. If it cannot be had, nobody may come in.
"""

import re

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from remora import model
from remora.annotations.client_tls import ClientTls
from remora.annotations.declare import rows_of
from remora.annotations.registry import Parsed
from remora.annotations.tls import Tls
from remora.core.names import ANY_HOST, Hostname, NamespacedName
from remora.core.problem import Problem, Severity
from remora.kube.objects import Secret
from remora.model import USUAL_TLS, ClientCheck, FileKind, HostTls, UpstreamFile
from remora.translate.certificates import RefusalUnit
from remora.translate.ingress import Prepared
from remora.translate.patterns import find_pattern_fault
from remora.translate.references import find_referenced
from remora.translate.stapling import is_stapled
from remora.translate.view import Unit, View

_CHECKS = {
    "": ClientCheck.DEMANDED,
    "on": ClientCheck.DEMANDED,
    "optional": ClientCheck.OPTIONAL,
    "optional_no_ca": ClientCheck.ANY_AUTHORITY,
    "off": ClientCheck.NOTHING,
}
_REFUSED = model.ClientTls(ClientCheck.REFUSED)
_NAMES = {row.name for row in rows_of(ClientTls).values()}
_REVOCATIONS = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


class ClientTrust(msgspec.Struct, frozen=True, gc=False):
    """What a Secret holds to judge clients' certificates by, or why it cannot be used."""

    authority: UpstreamFile | None = None
    revoked: UpstreamFile | None = None
    refusal: str = ""


class ClientTrustUnit(Unit[ClientTrust], frozen=True):
    """The Secret of `auth-tls-secret`."""

    secret: NamespacedName

    def run(self, view: View) -> ClientTrust:
        secret = view.find(Secret, self.secret)
        return parse_client_trust(secret.data or {}) if secret else ClientTrust(refusal="it does not exist")


def parse_client_trust(data: dict[str, bytes]) -> ClientTrust:
    """What is in a Secret's data, written anew: HAProxy and its runtime socket take nothing else beside it."""
    if not data.get("ca.crt"):
        return ClientTrust(refusal="it has no ca.crt")
    try:
        found = dict.fromkeys(x509.load_pem_x509_certificates(data["ca.crt"]))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ClientTrust(refusal="ca.crt is not a certificate in PEM")
    authority = UpstreamFile(FileKind.AUTHORITY, b"".join(one.public_bytes(Encoding.PEM) for one in found))
    if not data.get("ca.crl"):
        return ClientTrust(authority)
    try:
        lists = [x509.load_pem_x509_crl(text) for text in _REVOCATIONS.findall(data["ca.crl"])]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        lists = []
    if not lists:
        return ClientTrust(refusal="ca.crl is not a list of revoked certificates in PEM")
    return ClientTrust(authority, UpstreamFile(FileKind.REVOCATIONS, b"".join(one.public_bytes(Encoding.PEM) for one in lists)))


def speaks_of_clients(parsed: Parsed) -> bool:
    """Whether an Ingress says something of its hosts' clients."""
    group = parsed.of(ClientTls)
    return bool(group.secret) or group.verify_client == "on" or not parsed.closing.isdisjoint(_NAMES)


class FoundTls(msgspec.Struct, frozen=True, gc=False):
    """What clients of a host must show, how TLS is spoken with them, and with which certificate."""

    clients: model.ClientTls | None = None
    tls: HostTls = USUAL_TLS
    certificate: NamespacedName | None = None
    problems: tuple[Problem, ...] = ()


def find_tls(view: View, host: Hostname, owners: list[Prepared], certificate: NamespacedName | None) -> FoundTls:
    """All of it; `owners` are ordered, those that decide first. `certificate` is the Secret that the host is served with."""
    speaks = next((owner for owner in owners if owner.parsed.of(ClientTls).secret), None)
    demands = next((owner for owner in owners if owner.parsed.of(ClientTls).verify_client == "on"), None)
    closed = next((owner for owner in owners if not owner.parsed.closing.isdisjoint(_NAMES)), None)
    ciphers = next((text for owner in owners if (text := owner.parsed.of(Tls).ciphers)), "")
    clients: model.ClientTls | None = None
    problems: tuple[Problem, ...] = ()
    # Options stand with a certificate, and that of all other hosts must keep its own.
    own = certificate or _default_certificate(view)
    if closed:
        # Its other paths say why; those of others must not be open instead.
        clients, problems = _REFUSED, (_refused(closed, host, "one of its annotations is not to be had"),)
    elif speaks:
        clients, refusal = _find_clients(view, speaks)
        if not refusal and clients.trust and (host == ANY_HOST or own is None):
            refusal = (
                f"{host or 'the host that stands for any'} has no certificate of its own, with which clients could be asked"
            )
        if refusal:
            clients, problems = _REFUSED, (_refused(speaks, host, refusal),)
    elif demands:
        refusal = "auth-tls-verify-client is on, and no Ingress of the host has an auth-tls-secret"
        clients, problems = _REFUSED, (_refused(demands, host, refusal),)
    asks = clients if clients and clients.trust else None
    tls = HostTls(asks.authority, asks.revoked, ciphers) if asks else HostTls(ciphers=ciphers)
    tls = msgspec.structs.replace(tls, stapled=is_stapled(view, own))
    if tls == USUAL_TLS or own is None or host == ANY_HOST:
        return FoundTls(clients, USUAL_TLS, certificate, problems)
    return FoundTls(clients, tls, own, problems)


def _default_certificate(view: View) -> NamespacedName | None:
    secret = view.settings.default_ssl_certificate
    return secret if secret and not view.ask(RefusalUnit(secret)) else None


def _find_clients(view: View, owner: Prepared) -> tuple[model.ClientTls, str]:
    group = owner.parsed.of(ClientTls)
    try:
        name = NamespacedName.parse(group.secret)
    except ValueError:
        return _REFUSED, "auth-tls-secret is not namespace/name"
    found, refusal = find_referenced(view, Secret, group.secret, parsed=owner.parsed, namespace=owner.name.namespace)
    if found is None:
        return _REFUSED, refusal
    trust = view.ask(ClientTrustUnit(name))
    if trust.authority is None:
        return _REFUSED, f"Secret {name} cannot be used: {trust.refusal}"
    if group.match_cn and (fault := _find_subject_fault(group.match_cn)):
        return _REFUSED, f"auth-tls-match-cn {fault}"
    check = _CHECKS[group.verify_client]
    asks = check is not ClientCheck.NOTHING
    return (
        model.ClientTls(
            check,
            authority=trust.authority.name if asks else "",
            revoked=trust.revoked.name if asks and trust.revoked else "",
            subject=group.match_cn,
            error_page=group.error_page,
            passes_certificate=group.pass_certificate,
            depth=group.verify_depth if asks else 1,
        ),
        "",
    )


def _find_subject_fault(pattern: str) -> str | None:
    if not pattern.startswith("CN="):
        return "does not begin with CN="
    if not pattern.isascii() or not pattern.isprintable():
        return "has a character that is not known here"
    return find_pattern_fault(pattern)


def _refused(owner: Prepared, host: Hostname, why: str) -> Problem:
    message = f"clients of {host or 'any host'} cannot be asked for a certificate: {why}"
    consequence = "every path of the host answers 403"
    return Problem(owner.ref, "metadata.annotations", "ClientTlsUnusable", message, consequence, Severity.ERROR)


def with_client_tls(route: model.Route, clients: model.ClientTls | None, *, free_paths: tuple[str, ...]) -> model.Route:
    """The route, guarded. Where nobody may come in, nobody is sent elsewhere either.

    Issuers of certificates have none to show, and ask for `free_paths` by http.
    """
    if clients is None:
        return route
    is_free = isinstance(route.match, model.ExactPath | model.PrefixPath) and route.match.path.startswith(free_paths)
    if is_free and clients.check is ClientCheck.DEMANDED:
        clients = msgspec.structs.replace(clients, check=ClientCheck.OPTIONAL, subject="")
    if clients.check is not ClientCheck.REFUSED:
        return msgspec.structs.replace(route, client_tls=clients)
    action = route.action if isinstance(route.action, model.ForwardTo) else model.Unavailable()
    return msgspec.structs.replace(route, client_tls=clients, action=action, https_redirect=None, snippet=())
