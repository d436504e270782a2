"""Default backends: for requests that no route takes, and for rules whose service has no endpoints (behaviour reference,
part A, sections 8.1 and 8.2)."""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from remora.annotations.error_pages import ErrorPages
from remora.annotations.registry import Parsed
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.kube.objects import Service, ServiceBackendPort
from remora.model import BackendName
from remora.translate.backends import BackendRef, BackendUnit
from remora.translate.view import Unit, View


class DefaultBackend(msgspec.Struct, frozen=True, gc=False):
    """The default backend's name; None without one, and while it has no endpoints."""

    name: BackendName | None = None
    problems: tuple[Problem, ...] = ()


class DefaultBackendUnit(Unit[DefaultBackend], frozen=True):
    """The Service that the flag `--default-backend-service` names, at its first port."""

    layer: ClassVar[int] = 1

    def run(self, view: View) -> DefaultBackend:
        name = view.settings.default_backend_service
        if name is None:
            return DefaultBackend()
        ref = find_first_port(view, name)
        if ref is None:
            message = "the Service named by --default-backend-service does not exist or has no port"
            problem = Problem(ObjectRef("Service", name), "spec.ports", "ServiceMissing", message, "a plain 404 is answered")
            return DefaultBackend(problems=(problem,))
        backend = view.ask(BackendUnit(ref))
        return DefaultBackend(backend.name if backend.endpoints else None)


def find_first_port(view: View, name: NamespacedName) -> BackendRef | None:
    """The first port of a Service; None without the Service, or without a port."""
    service = view.find(Service, name)
    if service is None or not service.spec.ports:
        return None
    return BackendRef(name, ServiceBackendPort(number=service.spec.ports[0].port))


def default_backend_problems(view: View, ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """What is wrong with the Service of the annotation `default-backend`."""
    name = parsed.of(ErrorPages).backend
    if name and find_first_port(view, NamespacedName(ref.name.namespace, name)) is None:
        message = f"default-backend: there is no Service {ref.name.namespace}/{name}, or it has no port"
        consequence = "the annotation is ignored until there is"
        yield Problem(ref, "metadata.annotations", "DefaultBackendMissing", message, consequence)
