"""What Ingresses name: Services with their ports, Secrets, and how long certificates last."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509

from remora.core.names import NamespacedName
from remora.kube.objects import Ingress, IngressBackend, Secret, Service
from remora.report.doctor.finding import Finding, ok, problem, warning

SOON = timedelta(days=14)
"""cert-manager renews a certificate of three months thirty days before its end: what is left then has been missed twice."""
_SHOWN = 3


def judge_references(
    ingresses: Sequence[Ingress], services: Mapping[NamespacedName, Service], secrets: Mapping[NamespacedName, Secret] | None
) -> Iterator[Finding]:
    """Services and Secrets that are named and not there; `secrets` None means that they may not be read."""
    missing: dict[str, list[str]] = defaultdict(list)
    for ingress in ingresses:
        for what in _missing(ingress, services, secrets):
            missing[what].append(str(ingress.key))
    for what, names in sorted(missing.items()):
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        if what.startswith("Secret"):
            why = f"{shown} names it: the default certificate is served, which browsers refuse"
            todo = "make it (`kubectl create secret tls`), or look at its issuer: `kubectl get certificate -A`"
        else:
            why = f"{shown} names it: its paths are answered with 503"
            todo = "make the Service or its port, or correct the Ingress; `remora explain URL` shows its rule"
        yield problem("references", f"{what} is missing", why, todo)
    if not missing:
        text = "Services and Secrets" if secrets is not None else "Services"
        yield ok("references", f"all {text} that {len(ingresses)} Ingresses name are there")


def _missing(
    ingress: Ingress, services: Mapping[NamespacedName, Service], secrets: Mapping[NamespacedName, Secret] | None
) -> Iterator[str]:
    namespace = ingress.metadata.namespace
    for backend in _backends(ingress):
        if backend.service is None:
            continue
        found, port = services.get(NamespacedName(namespace, backend.service.name)), backend.service.port
        if found is None:
            yield f"Service {namespace}/{backend.service.name}"
        elif found.spec.type != "ExternalName" and not any(
            (port.name and one.name == port.name) or (not port.name and one.port == port.number) for one in found.spec.ports
        ):
            yield f"port {port} of Service {found.key}"
    if secrets is not None:
        for name in {tls.secret_name for tls in ingress.spec.tls if tls.secret_name}:
            if NamespacedName(namespace, name) not in secrets:
                yield f"Secret {namespace}/{name}"


def _backends(ingress: Ingress) -> Iterator[IngressBackend]:
    if ingress.spec.default_backend:
        yield ingress.spec.default_backend
    for rule in ingress.spec.rules:
        for path in rule.http.paths if rule.http else ():
            yield path.backend


def judge_certificates(
    ingresses: Iterable[Ingress], secrets: Mapping[NamespacedName, Secret], now: datetime
) -> Iterator[Finding]:
    """Certificates that Ingresses name and that end soon, or have."""
    hosts: dict[NamespacedName, set[str]] = defaultdict(set)
    for ingress in ingresses:
        for tls in ingress.spec.tls:
            name = NamespacedName(ingress.metadata.namespace, tls.secret_name)
            if name in secrets:
                hosts[name].update(tls.hosts or (rule.host for rule in ingress.spec.rules))
    judged = [_certificate(name, secrets[name], sorted(hosts[name]), now) for name in sorted(hosts)]
    bad = [one for one in judged if one is not None]
    yield from bad
    if not bad:
        yield ok("certificates", f"{len(judged)} certificates, none of which ends within {SOON.days} days")


def _certificate(name: NamespacedName, secret: Secret, hosts: Sequence[str], now: datetime) -> Finding | None:
    todo = "renew it, or look at its issuer: `kubectl get certificate,certificaterequest -A`"
    shown = ", ".join(hosts[:_SHOWN]) + (" and others" if len(hosts) > _SHOWN else "")
    try:
        end = x509.load_pem_x509_certificate((secret.data or {})["tls.crt"]).not_valid_after_utc
    except (KeyError, ValueError, TypeError) as error:
        fault = "is not there" if isinstance(error, KeyError) else "is no certificate in PEM"
        why = f"tls.crt {fault}: {shown} gets the default certificate"
        return problem("certificates", f"Secret {name} holds no certificate", why, todo)
    if end <= now:
        return problem("certificates", f"{name} ended {(now - end).days} days ago", f"browsers refuse {shown}", todo)
    if end - now <= SOON:
        return warning("certificates", f"{name} ends in {(end - now).days} days", f"then browsers refuse {shown}", todo)
    return None
