"""Kubernetes objects in few words, for tests of what reads them."""

from typing import Any

from remora.core.names import NamespacedName
from remora.kube.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressRule,
    IngressTLS,
    ObjectMeta,
    Pod,
    Secret,
    Service,
    ServiceBackendPort,
    ServicePort,
)
from remora.kube.objects.endpointslice import SERVICE_NAME_LABEL, TargetRef
from remora.kube.objects.ingress import HTTPIngressRuleValue, IngressClassSpec, IngressServiceBackend, IngressSpec
from remora.kube.objects.pod import SESSION_DRAIN
from remora.kube.objects.service import ServiceSpec

PREFIX = "nginx.ingress.kubernetes.io/"


def named(text: str) -> NamespacedName:
    return NamespacedName.parse(text)


def meta(name: str, **more: Any) -> ObjectMeta:
    """Metadata of `namespace/name`."""
    place = named(name)
    return ObjectMeta(name=place.name, namespace=place.namespace, **more)


def service_backend(service: str, port: int | str = 80) -> IngressBackend:
    wanted = ServiceBackendPort(number=port) if isinstance(port, int) else ServiceBackendPort(name=port)
    return IngressBackend(service=IngressServiceBackend(name=service, port=wanted))


def rule(host: str, *paths: str, service: str = "web", port: int | str = 80, path_type: str = "Prefix") -> IngressRule:
    value = HTTPIngressRuleValue(tuple(HTTPIngressPath(service_backend(service, port), path, path_type) for path in paths))
    return IngressRule(host=host, http=value)


def ingress(
    name: str,
    *rules: IngressRule,
    annotations: dict[str, str] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    class_name: str | None = "nginx",
    tls: tuple[IngressTLS, ...] = (),
    default: IngressBackend | None = None,
) -> Ingress:
    """An Ingress `namespace/name`; annotations without a slash in their name get ingress-nginx's prefix."""
    written = {key if "/" in key else PREFIX + key: value for key, value in (annotations or {}).items()}
    spec = IngressSpec(ingress_class_name=class_name, default_backend=default, tls=tls, rules=rules)
    return Ingress(metadata=meta(name, creation_timestamp=created, annotations=written), spec=spec)


def ingress_class(name: str, controller: str = "k8s.io/ingress-nginx") -> IngressClass:
    return IngressClass(metadata=ObjectMeta(name=name), spec=IngressClassSpec(controller))


def service(name: str, *ports: ServicePort, **spec: Any) -> Service:
    return Service(metadata=meta(name), spec=ServiceSpec(ports=ports or (ServicePort(80, "http", target_port=8080),), **spec))


def endpoint(address: str, pod: str = "", *, uid: str | None = None, **conditions: bool) -> Endpoint:
    target = TargetRef(pod, pod if uid is None else uid) if pod else None
    return Endpoint((address,), EndpointConditions(**conditions), target)


def endpoint_slice(
    name: str, service: str, *endpoints: Endpoint, ports: tuple[EndpointPort, ...] | None = None
) -> EndpointSlice:
    metadata = meta(name, labels={SERVICE_NAME_LABEL: service})
    return EndpointSlice(
        metadata=metadata, endpoints=endpoints, ports=(EndpointPort("http", 8080),) if ports is None else ports
    )


def secret(name: str, **data: bytes) -> Secret:
    return Secret(metadata=meta(name), data={key.replace("_", "."): value for key, value in data.items()})


def drained_pod(name: str, drain: str = "true", *, uid: str | None = None) -> Pod:
    """A pod `namespace/name` with the annotation; its uid is the one that `endpoint` gives it."""
    place = named(name)
    return Pod(ObjectMeta(place.name, place.namespace, place.name if uid is None else uid, annotations={SESSION_DRAIN: drain}))
