"""From a reference to a Service's port to a backend, and to what the backend is called.

The name is hashed into cookies exactly as ingress-nginx does, so that its cookies survive the switch.
"""

import hashlib

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import DnsAnswer, EndpointSlice, Service, ServiceBackendPort
from remora.kube.objects.ingress import IngressServiceBackend
from remora.model import PLAIN_UPSTREAM, Backend, BackendName, Balancing, Endpoint, Upstream
from remora.translate.endpoints import PodsOfService, endpoints, find_service_port
from remora.translate.external_names import external_endpoints, external_name, find_external_port, find_name_fault, is_external
from remora.translate.pods import read_mark
from remora.translate.service_address import find_service_endpoint
from remora.translate.topology import near_slices
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


_AT_SERVICE = "@service"
_SUFFIXES = {Balancing.ROUND_ROBIN: "", Balancing.CONSISTENT_HASH: "@hash", Balancing.LEAST_CONNECTIONS: "@least"}


_KEEPS_UNREADY = "@unready"


def backend_name(
    ref: BackendRef,
    balancing: Balancing,
    *,
    keeps_unready: bool = False,
    via_service: bool = False,
    upstream: Upstream = PLAIN_UPSTREAM,
) -> BackendName:
    """The name of a service port that is balanced in a certain way, with or without the pods that are not ready, or
    reached at its Service, and spoken to in a certain way; no two have the same.

    Where a dash in the namespace or in the port's name lets another service port have the same text (service `b-c` in
    namespace `a`, service `c` in `a-b`), a digest tells them apart.
    """
    text = ref.text
    if "-" in ref.service.namespace or "-" in ref.port.name:
        parts = "\0".join((ref.service.namespace, ref.service.name, str(ref.port)))
        text += f"@{hashlib.sha256(parts.encode()).hexdigest()[:8]}"
    balanced = _SUFFIXES[balancing] + _KEEPS_UNREADY * keeps_unready
    return BackendName(text + _AT_SERVICE * via_service + balanced + upstream.suffix)


def backend_key(ref: BackendRef) -> str:
    """The second part of session cookies: lower-case hex `md5(md5hex(N) + N)` of the name N that ingress-nginx gives."""
    name = ref.text
    inner = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return hashlib.md5((inner + name).encode(), usedforsecurity=False).hexdigest()


class BackendUnit(Unit[Backend], frozen=True):
    """The endpoints of one service port. Without the Service, or without the port, there are none.

    With `keeps_unready` those that are not ready are among them, for the sessions that they have. Ingresses that disagree on
    that, or on how pods are spoken to, use two backends. `via_service` asks for the Service's own address as the one
    endpoint, where it has one.
    """

    ref: BackendRef
    balancing: Balancing = Balancing.ROUND_ROBIN
    keeps_unready: bool = False
    via_service: bool = False
    upstream: Upstream = PLAIN_UPSTREAM

    @property
    def name(self) -> BackendName:
        unready, service = self.keeps_unready, self.via_service
        return backend_name(self.ref, self.balancing, keeps_unready=unready, via_service=service, upstream=self.upstream)

    def run(self, view: View) -> Backend:
        service = view.find(Service, self.ref.service)
        bare = Backend(self.name, self.balancing, origin=self.ref.service, upstream=self.upstream)
        if service is None:
            return bare
        if is_external(service):
            return self._external(view, service, bare)
        key = view.settings.session_key
        own = find_service_endpoint(service, self.ref.port, session_key=key) if self.via_service else None
        return self._filled(bare, (own,) if own else self._pods(view, service))

    def _pods(self, view: View, service: Service) -> tuple[Endpoint, ...]:
        port = find_service_port(service, self.ref.port)
        if port is None:
            return ()
        found = (view.find(EndpointSlice, one) for one in view.slices_of(self.ref.service))
        slices = near_slices((one for one in found if one is not None), service, view.settings)
        marked = {name: pod for one in slices for name, pod in view.pods_of(one).items()}
        cordoned = {name: pod.metadata.uid for name, pod in marked.items() if read_mark(pod).is_cordoned}
        pods = PodsOfService(cordoned, self.keeps_unready)
        return endpoints(slices, port, session_key=view.settings.session_key, pods=pods)

    def _external(self, view: View, service: Service, bare: Backend) -> Backend:
        """The addresses of a name elsewhere. The backend tells which name it wants, and so it gets resolved."""
        name = external_name(service)
        port = find_external_port(service, self.ref.port)
        if port is None or find_name_fault(name) or view.settings.disable_svc_external_name:
            return bare
        answer = view.find(DnsAnswer, NamespacedName("", name))
        found = external_endpoints(answer, port, session_key=view.settings.session_key)
        return msgspec.structs.replace(self._filled(bare, found), external_name=name)

    def _filled(self, bare: Backend, found: tuple[Endpoint, ...]) -> Backend:
        return msgspec.structs.replace(bare, endpoints=found, former_name=self.ref.text)
