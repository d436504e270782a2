"""The backend for requests that no route takes (behaviour reference, part A, section 8.1)."""

from typing import ClassVar

import msgspec

from remora.core.names import ObjectRef
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
        service = view.find(Service, name)
        if service is None or not service.spec.ports:
            message = "the Service named by --default-backend-service does not exist or has no port"
            problem = Problem(ObjectRef("Service", name), "spec.ports", "ServiceMissing", message, "a plain 404 is answered")
            return DefaultBackend(problems=(problem,))
        ref = BackendRef(name, ServiceBackendPort(number=service.spec.ports[0].port))
        backend = view.ask(BackendUnit(ref))
        return DefaultBackend(backend.name if backend.endpoints else None)
