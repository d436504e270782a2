"""The kinds that the controller reads, as frozen structs with only the fields that it reads.

Field names follow the Kubernetes API; msgspec renames them to camelCase and ignores what is not listed, so an object of a
newer API version decodes as well.
"""

from remora.kube.objects.configmap import ConfigMap
from remora.kube.objects.dns_answer import DnsAnswer
from remora.kube.objects.endpointslice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from remora.kube.objects.ingress import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressRule,
    IngressTLS,
    ServiceBackendPort,
)
from remora.kube.objects.meta import KubernetesObject, ObjectMeta
from remora.kube.objects.node import Node
from remora.kube.objects.pod import Pod
from remora.kube.objects.secret import Secret
from remora.kube.objects.service import Service, ServicePort

__all__ = [
    "ConfigMap",
    "DnsAnswer",
    "Endpoint",
    "EndpointConditions",
    "EndpointPort",
    "EndpointSlice",
    "HTTPIngressPath",
    "Ingress",
    "IngressBackend",
    "IngressClass",
    "IngressRule",
    "IngressTLS",
    "KubernetesObject",
    "Node",
    "ObjectMeta",
    "Pod",
    "Secret",
    "Service",
    "ServiceBackendPort",
    "ServicePort",
]
