"""The backends of authentication services: an URL's host is a Service of the cluster, an address, or a name elsewhere."""

import ipaddress
import re
from typing import ClassVar

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import DnsAnswer, Service, ServiceBackendPort
from remora.model import PLAIN_UPSTREAM, Backend, BackendName, Balancing, Endpoint, Upstream, UpstreamTls
from remora.translate.backends import BackendRef, BackendUnit
from remora.translate.endpoints import endpoint_key, find_service_port
from remora.translate.external_names import external_endpoints, find_name_fault
from remora.translate.view import Unit, View

_LABEL = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SERVICE = re.compile(rf"({_LABEL})\.({_LABEL})\.svc(?:\.[a-z0-9.-]+)?\.?")
_SHORT = re.compile(rf"({_LABEL})\.({_LABEL})")


class AuthBackendUnit(Unit[Backend], frozen=True):
    """The endpoints behind the host and port of an URL. With TLS the host is told by SNI, and no certificate is verified."""

    layer: ClassVar[int] = 1
    host: str
    port: int
    is_tls: bool = False

    @property
    def name(self) -> BackendName:
        return BackendName(f"@auth-{self.host}-{self.port}{self._upstream.suffix}")

    def run(self, view: View) -> Backend:
        bare = Backend(self.name, Balancing.ROUND_ROBIN, upstream=self._upstream)
        service = find_auth_service(view, self.host)
        if service is not None:
            return self._of_service(view, service, bare)
        key = view.settings.session_key
        if _is_address(self.host):
            endpoint = Endpoint(endpoint_key(key, self.host, self.port), self.host, self.port)
            return msgspec.structs.replace(bare, endpoints=(endpoint,))
        if find_name_fault(self.host):
            return bare
        answer = view.find(DnsAnswer, NamespacedName("", self.host))
        found = external_endpoints(answer, self.port, session_key=key)
        return msgspec.structs.replace(bare, endpoints=found, external_name=self.host)

    def _of_service(self, view: View, name: NamespacedName, bare: Backend) -> Backend:
        found = view.ask(BackendUnit(BackendRef(name, find_auth_port(view, name, self.port))))
        return msgspec.structs.replace(bare, endpoints=found.endpoints, origin=found.origin, external_name=found.external_name)

    @property
    def _upstream(self) -> Upstream:
        if not self.is_tls:
            return PLAIN_UPSTREAM
        name = "" if _is_address(self.host) else self.host
        return Upstream(tls=UpstreamTls(name=name, sends_name=bool(name)))


def find_auth_service(view: View, host: str) -> NamespacedName | None:
    """The Service that a host stands for: `name.namespace.svc`, whatever the cluster's domain, or `name.namespace` of one
    that there is."""
    if found := _SERVICE.fullmatch(host):
        return NamespacedName(found[2], found[1])
    short = _SHORT.fullmatch(host)
    name = NamespacedName(short[2], short[1]) if short else None
    return name if name and view.find(Service, name) else None


def find_auth_port(view: View, name: NamespacedName, port: int) -> ServiceBackendPort:
    """The Service's port that the URL's number means. The name of a headless Service leads to pods, and so to their port."""
    service = view.find(Service, name)
    if service and service.spec.cluster_ip == "None" and not find_service_port(service, ServiceBackendPort(number=port)):
        for candidate in service.spec.ports:
            if candidate.target_port == port:
                return ServiceBackendPort(number=candidate.port)
    return ServiceBackendPort(number=port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
