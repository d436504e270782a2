"""From a reference to a Service's port to a backend, and to what the backend is called.

The name is hashed into cookies exactly as ingress-nginx does, so that its cookies survive the switch.
"""

import hashlib

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import EndpointSlice, Service, ServiceBackendPort
from remora.kube.objects.ingress import IngressServiceBackend
from remora.model import Backend, BackendName, Balancing
from remora.translate.endpoints import PodsOfService, endpoints, find_service_port
from remora.translate.pods import read_mark
from remora.translate.view import Unit, View


class BackendRef(msgspec.Struct, frozen=True, gc=False):
    """A Service's port as an Ingress writes it."""

    service: NamespacedName
    port: ServiceBackendPort

    @classmethod
    def of(cls, namespace: str, backend: IngressServiceBackend) -> "BackendRef":
        """The reference that a backend of an Ingress in that namespace makes."""
        return cls(NamespacedName(namespace, backend.name), backend.port)

    @property
    def text(self) -> str:
        """`namespace-service-port`: what ingress-nginx calls it, and hashes."""
        return f"{self.service.namespace}-{self.service.name}-{self.port}"


_SUFFIXES = {Balancing.ROUND_ROBIN: "", Balancing.CONSISTENT_HASH: "@hash", Balancing.LEAST_CONNECTIONS: "@least"}


_KEEPS_UNREADY = "@unready"


def backend_name(ref: BackendRef, balancing: Balancing, *, keeps_unready: bool = False) -> BackendName:
    """The name of a service port that is balanced in a certain way, with or without the pods that are not ready; no two have
    the same.

    Where a dash in the namespace or in the port's name lets another service port have the same text (service `b-c` in
    namespace `a`, service `c` in `a-b`), a digest tells them apart.
    """
    text = ref.text
    if "-" in ref.service.namespace or "-" in ref.port.name:
        parts = "\0".join((ref.service.namespace, ref.service.name, str(ref.port)))
        text += f"@{hashlib.sha256(parts.encode()).hexdigest()[:8]}"
    return BackendName(text + _SUFFIXES[balancing] + _KEEPS_UNREADY * keeps_unready)


def backend_key(ref: BackendRef) -> str:
    """The second part of session cookies: lower-case hex `md5(md5hex(N) + N)` of the name N that ingress-nginx gives."""
    name = ref.text
    inner = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return hashlib.md5((inner + name).encode(), usedforsecurity=False).hexdigest()


class BackendUnit(Unit[Backend], frozen=True):
    """The endpoints of one service port. Without the Service, or without the port, there are none.

    With `keeps_unready` those that are not ready are among them, for the sessions that they have. Ingresses that disagree on
    that use two backends.
    """

    ref: BackendRef
    balancing: Balancing = Balancing.ROUND_ROBIN
    keeps_unready: bool = False

    @property
    def name(self) -> BackendName:
        return backend_name(self.ref, self.balancing, keeps_unready=self.keeps_unready)

    def run(self, view: View) -> Backend:
        name = self.name
        service = view.find(Service, self.ref.service)
        port = find_service_port(service, self.ref.port) if service else None
        if service is None or port is None or service.spec.type == "ExternalName":
            return Backend(name, self.balancing, origin=self.ref.service)
        found = (view.find(EndpointSlice, one) for one in view.slices_of(self.ref.service))
        slices = [one for one in found if one is not None]
        marked = {name: pod for one in slices for name, pod in view.pods_of(one).items()}
        cordoned = {name: pod.metadata.uid for name, pod in marked.items() if read_mark(pod).is_cordoned}
        pods = PodsOfService(cordoned, self.keeps_unready)
        found_endpoints = endpoints(slices, port, session_key=view.settings.session_key, pods=pods)
        return Backend(name, self.balancing, found_endpoints, former_name=self.ref.text, origin=self.ref.service)
