"""core/v1 Service."""

import msgspec

from remora.kube.objects.ingress import IngressLoadBalancerStatus
from remora.kube.objects.meta import KubernetesObject, Wire


class ServicePort(Wire, frozen=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    """A number, or the name of a container's port; 0 when not given, which means `port`."""


class ServiceSpec(Wire, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    external_ips: tuple[str, ...] = msgspec.field(name="externalIPs", default=())
    ports: tuple[ServicePort, ...] = ()
    traffic_distribution: str | None = None


class ServiceStatus(Wire, frozen=True):
    load_balancer: IngressLoadBalancerStatus = IngressLoadBalancerStatus()


class Service(KubernetesObject, frozen=True):
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()
