"""A large cluster's objects, as the benches of the control plane have them: an Ingress with a sticky session for each host, a
Service behind it, and its EndpointSlice.
"""

import base64
from collections.abc import Callable
from typing import Any

from bench.api_load import Kind

PODS = 5
"""Endpoints of a Service, so that ten thousand have fifty thousand."""

Object = dict[str, Any]

NETWORKING, DISCOVERY = "/apis/networking.k8s.io/v1", "/apis/discovery.k8s.io/v1"


def host_of(number: int) -> str:
    return f"app-{number}.example.com"


def ingress(number: int, *, host: str = "", service: str = "") -> Object:
    """An Ingress as people write them: two paths, a sticky session, and what kubectl adds."""
    backend = {"service": {"name": service or f"app-{number}", "port": {"number": 80}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": backend} for path in ("/", "/api")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": f"app-{number}",
            "namespace": "default",
            "labels": {"app.kubernetes.io/name": f"app-{number}", "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {
                "nginx.ingress.kubernetes.io/affinity": "cookie",
                "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
                "nginx.ingress.kubernetes.io/session-cookie-name": "route",
            },
        },
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host or host_of(number), "http": {"paths": paths}}]},
    }


def secure_ingress(host: str, *, secret: str, service: str) -> Object:
    """An Ingress with a certificate of its own."""
    obj = ingress(0, host=host, service=service)
    obj["metadata"] = {**obj["metadata"], "name": secret}
    obj["spec"] = {**obj["spec"], "tls": [{"hosts": [host], "secretName": secret}]}
    return obj


def certificate_secret(name: str, pem: bytes) -> Object:
    """A Secret of a certificate and its key, which stand in one text."""
    mark = b"-----BEGIN PRIVATE KEY-----"
    certificate, _, key = pem.partition(mark)
    data = {"tls.crt": certificate, "tls.key": mark + key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": "default"},
        "data": {field: base64.b64encode(text).decode() for field, text in data.items()},
    }


def service(number: int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"app-{number}", "namespace": "default", "labels": {"app": f"app-{number}"}},
        "spec": {
            "selector": {"app": f"app-{number}"},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
        },
    }


def endpoint_slice(number: int, *, address: str = "", port: int = 8080, pods: int = PODS) -> Object:
    """The endpoints of a Service: at an address of their own each, or all at one that answers."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"app-{number}-abcde",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": f"app-{number}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [address or f"10.{number >> 8 & 255}.{number & 255}.{pod + 1}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{pod}",
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "default",
                    "name": f"app-{number}-{pod}",
                    "uid": f"00000000-0000-4000-8000-{number:08x}{pod:04x}",
                },
            }
            for pod in range(pods)
        ],
    }


INGRESS_CLASS: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "nginx"},
    "spec": {"controller": "k8s.io/ingress-nginx"},
}


def kinds(make_slice: Callable[[int], Object] = endpoint_slice) -> tuple[Kind, ...]:
    """The three kinds, in the order in which they are created."""
    return (
        Kind("Service", "/api/v1/namespaces/default/services", service),
        Kind("EndpointSlice", f"{DISCOVERY}/namespaces/default/endpointslices", make_slice),
        Kind("Ingress", f"{NETWORKING}/namespaces/default/ingresses", ingress),
    )
