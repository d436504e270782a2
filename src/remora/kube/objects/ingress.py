"""networking.k8s.io/v1 Ingress and IngressClass."""

from remora.kube.objects.meta import KubernetesObject, Wire


class ServiceBackendPort(Wire, frozen=True):
    """A Service's port by number or by name; 0 and "" mean that it is not given."""

    number: int = 0
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.number)


class IngressServiceBackend(Wire, frozen=True):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class TypedLocalObjectReference(Wire, frozen=True):
    kind: str = ""
    name: str = ""


class IngressBackend(Wire, frozen=True):
    service: IngressServiceBackend | None = None
    resource: TypedLocalObjectReference | None = None


class HTTPIngressPath(Wire, frozen=True):
    backend: IngressBackend
    path: str = ""
    path_type: str = "ImplementationSpecific"


class HTTPIngressRuleValue(Wire, frozen=True):
    paths: tuple[HTTPIngressPath, ...] = ()


class IngressRule(Wire, frozen=True):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Wire, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Wire, frozen=True):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTLS, ...] = ()
    rules: tuple[IngressRule, ...] = ()


class IngressLoadBalancerIngress(Wire, frozen=True, omit_defaults=True):
    """One address of a load balancer: an IP or a host name."""

    ip: str = ""
    hostname: str = ""


class IngressLoadBalancerStatus(Wire, frozen=True):
    ingress: tuple[IngressLoadBalancerIngress, ...] = ()


class IngressStatus(Wire, frozen=True):
    load_balancer: IngressLoadBalancerStatus = IngressLoadBalancerStatus()


class Ingress(KubernetesObject, frozen=True):
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassSpec(Wire, frozen=True):
    controller: str = ""


class IngressClass(KubernetesObject, frozen=True):
    spec: IngressClassSpec = IngressClassSpec()
