"""What an Ingress refers to and cannot have: Services, their ports, Secrets."""

import re
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from remora.annotations.balancing import Balancing
from remora.annotations.configmap import Access
from remora.annotations.registry import Parsed
from remora.core.names import NamespacedName
from remora.core.problem import Problem, Severity
from remora.kube.objects import DnsAnswer, Ingress, KubernetesObject, Service, ServicePort
from remora.kube.objects.ingress import IngressServiceBackend
from remora.translate.backends import BackendRef
from remora.translate.certificates import RefusalUnit
from remora.translate.endpoints import find_service_port
from remora.translate.external_names import external_name, find_external_port, find_name_fault, is_external
from remora.translate.service_address import find_service_endpoint
from remora.translate.view import Unit, View


def reference_problems(view: View, ingress: Ingress, parsed: Parsed) -> Iterator[Problem]:
    """One Problem for each Service, port and Secret that is not to be had, at the place that names it first."""
    yield from _service_problems(view, ingress, via_service=parsed.of(Balancing).service_upstream)
    yield from _secret_problems(view, ingress)


def _service_problems(view: View, ingress: Ingress, *, via_service: bool) -> Iterator[Problem]:
    seen = set()
    for field, backend in _backends(ingress):
        ref = BackendRef.of(ingress.metadata.namespace, backend)
        if ref in seen:
            continue
        seen.add(ref)
        fault = view.ask(FaultUnit(ref, via_service))
        if fault.code:
            code, message = fault.code, fault.message
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


K = TypeVar("K", bound=KubernetesObject)


def find_referenced(view: View, kind: type[K], name: str, *, parsed: Parsed, namespace: str) -> tuple[K | None, str]:
    """The object that an annotation names, as `namespace/name` or by its name alone; or None, and why it is not to be had.

    Objects of other namespaces than the Ingress's are not even looked for, unless the controller's ConfigMap allows it.
    """
    place = NamespacedName.parse(name) if "/" in name else NamespacedName(namespace, name)
    if place.namespace != namespace and not parsed.defaults.of(Access).cross_namespace:
        return None, f"{kind.__name__} {place} is of another namespace; allow-cross-namespace-resources would allow it"
    found = view.find(kind, place)
    return (found, "") if found else (None, f"there is no {kind.__name__} {place}")


_MISSING = re.compile(r"there is no (?:Secret|ConfigMap|Service) \S+$")


def find_missing(problem: Problem) -> str:
    """What a Problem says of an object that an annotation names and that is not there; "" if it says something else."""
    found = _MISSING.search(problem.message) if problem.field.startswith("metadata.annotations") else None
    return found[0] if found else ""


class Fault(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with a reference to a Service's port; nothing without a code."""

    code: str = ""
    message: str = ""


class FaultUnit(Unit[Fault], frozen=True):
    """Why a Service's port has no endpoints by what the Service says itself. A unit, so that no Ingress is read anew when the
    addresses behind a name change."""

    ref: BackendRef
    via_service: bool = False

    def run(self, view: View) -> Fault:
        ref = self.ref
        service = view.find(Service, ref.service)
        if service is None:
            return Fault("ServiceMissing", f"there is no Service {ref.service}")
        if is_external(service):
            return _external_fault(view, ref, service)
        own = find_service_endpoint(service, ref.port, session_key=b"") if self.via_service else None
        if own is None and find_service_port(service, ref.port) is None:
            return Fault("ServicePortMissing", f"Service {ref.service} has no TCP port {ref.port}; it has {_ports(service)}")
        return Fault()


def _external_fault(view: View, ref: BackendRef, service: Service) -> Fault:
    """What keeps an ExternalName from having addresses. One that was not looked up yet is no fault."""
    name = external_name(service)
    if view.settings.disable_svc_external_name:
        return Fault("ServiceExternal", f"Service {ref.service} is an ExternalName; --disable-svc-external-name is set")
    if why := find_name_fault(name):
        return Fault("ExternalNameRefused", f"Service {ref.service}: {why}")
    if find_external_port(service, ref.port) is None:
        return Fault("ServicePortMissing", f"Service {ref.service} has no port {ref.port}; it has {_ports(service)}")
    answer = view.find(DnsAnswer, NamespacedName("", name))
    if answer is not None and not answer.addresses:
        return Fault("ExternalNameUnresolved", f"Service {ref.service}: {name} has no address: {answer.failure}")
    return Fault()


def _ports(service: Service) -> str:
    return ", ".join(map(_port_words, service.spec.ports)) or "none"


def _port_words(port: ServicePort) -> str:
    return f"{port.port}{'' if port.protocol == 'TCP' else f'/{port.protocol}'} {port.name}".strip()


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
