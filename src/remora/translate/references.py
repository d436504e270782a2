"""What an Ingress refers to and cannot have: Services, their ports, Secrets."""

from collections.abc import Iterator

from remora.core.names import NamespacedName
from remora.core.problem import Problem, Severity
from remora.kube.objects import Ingress, Service
from remora.kube.objects.ingress import IngressServiceBackend
from remora.translate.backends import BackendRef
from remora.translate.certificates import RefusalUnit
from remora.translate.endpoints import find_service_port
from remora.translate.view import View


def reference_problems(view: View, ingress: Ingress) -> Iterator[Problem]:
    """One Problem for each Service, port and Secret that is not to be had, at the place that names it first."""
    yield from _service_problems(view, ingress)
    yield from _secret_problems(view, ingress)


def _service_problems(view: View, ingress: Ingress) -> Iterator[Problem]:
    seen = set()
    for field, backend in _backends(ingress):
        ref = BackendRef.of(ingress.metadata.namespace, backend)
        if ref in seen:
            continue
        seen.add(ref)
        fault = _find_fault(view, ref)
        if fault:
            code, message = fault
            yield Problem(ingress.ref, field, code, message, "requests for it are answered with 503", Severity.ERROR)


def _backends(ingress: Ingress) -> Iterator[tuple[str, IngressServiceBackend]]:
    """Every Service that the Ingress names, and where."""
    default = ingress.spec.default_backend
    if default and default.service:
        yield "spec.defaultBackend.service", default.service
    for number, rule in enumerate(ingress.spec.rules):
        for path_number, path in enumerate(rule.http.paths if rule.http else ()):
            if path.backend.service:
                yield f"spec.rules[{number}].http.paths[{path_number}].backend.service", path.backend.service


def _find_fault(view: View, ref: BackendRef) -> tuple[str, str] | None:
    """Code and message of what is wrong with a reference to a Service's port."""
    service = view.find(Service, ref.service)
    if service is None:
        return "ServiceMissing", f"there is no Service {ref.service}"
    if service.spec.type == "ExternalName":
        return "ServiceExternal", f"Service {ref.service} is an ExternalName, which is not honoured yet"
    if find_service_port(service, ref.port) is None:
        ports = ", ".join(f"{port.port} {port.name}".strip() for port in service.spec.ports) or "none"
        return "ServicePortMissing", f"Service {ref.service} has no TCP port {ref.port}; it has {ports}"
    return None


def _secret_problems(view: View, ingress: Ingress) -> Iterator[Problem]:
    for number, entry in enumerate(ingress.spec.tls):
        if not entry.secret_name:
            continue
        secret = NamespacedName(ingress.metadata.namespace, entry.secret_name)
        refusal = view.ask(RefusalUnit(secret))
        if refusal:
            field = f"spec.tls[{number}].secretName"
            message = f"Secret {secret} cannot be used: {refusal}"
            yield Problem(ingress.ref, field, "CertificateUnusable", message, "the default certificate is served")
