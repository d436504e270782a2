"""What a cluster has from its start: namespaces, the Service `kubernetes`, and the Ingress controller of `deploy/remora.yaml`.

Every start applies all of it again: what is missing is made, and what an older Remora brought is brought up to date. Objects
that a person changed stay changed until the packaged one changes.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from remora.cluster.addresses import Network
from remora.cluster.api.authorization.defaults import default_roles
from remora.cluster.api.caller import unreviewed
from remora.cluster.api.errors import ApiError
from remora.cluster.api.ingressclass import DEFAULT_CLASS as DEFAULT_INGRESS_CLASS
from remora.cluster.api.registry import Registry
from remora.cluster.controllers.volumeclaim import DEFAULT_CLASS, PROVISIONER
from remora.cluster.entry import LOCALHOST, Entry
from remora.cluster.objects import Object, annotations_of, is_ready, is_terminating, key_of, with_metadata
from remora.cluster.services.translate import SERVED
from remora.core.errors import ConfigurationError

_log = logging.getLogger(__name__)

CONTROLLER_NAMESPACE = "ingress-remora"
PACKAGED = "remora.io/packaged"
"""Annotation: the digest of the object as this package brought it."""

_DEFAULT_CLASS = "nginx"
_LOCAL_FLAGS = ("--enable-metrics", "--watch-ingress-without-class")
"""The latter for Ingresses that were there before there was a default class."""
_HIGH_PORTS = {"http": 8080, "https": 8443}
_RETRY = 0.1
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def bootstrap(
    registry: Registry, *, network: Network, entry: Entry, api_port: int, may_bind_low_ports: bool, ingress: bool = True
) -> None:
    """Brings everything into the registry, without the Ingress controller if it is not wanted.

    Raises:
        ApiError: the registry refuses one of the packaged objects.
        ConfigurationError: it does not know the kind of one.
    """
    for obj in (
        *namespaces(),
        *default_roles(),
        storage_class(),
        *kubernetes_service(network, api_port),
        *(controller_objects(entry, may_bind_low_ports=may_bind_low_ports) if ingress else ()),
    ):
        await _apply(registry, obj)
    try:
        await _apply(registry, dns_service(network))
    except ApiError as error:
        # In a profile from before there was a DNS a Service may have its address.
        _log.warning("the Service kube-dns is not there: %s", error)


async def keep_kubernetes_service(registry: Registry, *, network: Network, api_port: int) -> None:
    """Brings the Service `kubernetes` and its endpoints back when they are deleted, as an API server does; never returns."""
    async with asyncio.TaskGroup() as tasks:
        for obj in kubernetes_service(network, api_port):
            tasks.create_task(_keep(registry, obj))


async def _keep(registry: Registry, obj: Object) -> None:
    resource, key = _resource(registry, obj), key_of(obj)
    while True:
        with suppress(ApiError):  # fell behind: a new watch begins with what exists
            await _apply(registry, obj)
            async for event in registry.watch(resource):
                if event.type == "DELETED" and key_of(event.object) == key:
                    await _apply(registry, obj)
        await asyncio.sleep(_RETRY)


def namespaces() -> Iterator[Object]:
    """The four that Kubernetes makes itself."""
    for name in _NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def storage_class() -> Object:
    """The class of claims that name none: a folder of the profile for each."""
    meta = {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": meta, "provisioner": PROVISIONER}


def kubernetes_service(network: Network, api_port: int) -> Iterator[Object]:
    """The Service by which pods know the API server, and its endpoints in both kinds, which no selector makes."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    meta = {"name": "kubernetes", "namespace": "default", "labels": labels}
    spec = {
        "type": "ClusterIP",
        "clusterIP": network.kubernetes_service,
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": api_port}],
    }
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    port = {"name": "https", "port": api_port, "protocol": "TCP"}
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [LOCALHOST], "conditions": {"ready": True}}],
        "ports": [port],
    }
    yield {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": LOCALHOST}], "ports": [port]}],
    }


def dns_service(network: Network) -> Object:
    """The Service by which clients look for the cluster's DNS. This process listens there itself, if it may."""
    labels = {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    meta = {"name": "kube-dns", "namespace": "kube-system", "labels": labels, "annotations": {SERVED: "dns"}}
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
    ]
    spec = {"type": "ClusterIP", "clusterIP": network.dns_service, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def controller_objects(entry: Entry, *, may_bind_low_ports: bool) -> list[Object]:
    """The Ingress controller as a real cluster gets it, with what is different here."""
    manifest = files("remora.cluster").joinpath("manifests/remora.yaml").read_text()
    objects = [obj for obj in yaml.safe_load_all(manifest) if obj]
    return [adjusted(obj, entry, may_bind_low_ports=may_bind_low_ports) for obj in objects]


def adjusted(obj: Object, entry: Entry, *, may_bind_low_ports: bool) -> Object:
    """The one place where the packaged manifest is changed for this machine.

    The Service answers at the entry; sessions are tracked and requests measured, so that `remora sessions` and `remora top`
    have something to show; an Ingress that names no class is served, as with minikube's addon; and a user who may not listen
    below 1024 may not do so on a pod's address either.
    """
    match obj["kind"], obj["metadata"]["name"]:
        case "Service", "remora-controller":
            return _at_entry(obj, entry)
        case "ConfigMap", "remora-controller":
            return {**obj, "data": {**(obj.get("data") or {}), "session-tracking": "true"}}
        case "Deployment", "remora-controller":
            local = _with_container(obj, _with_local_flags)
            return local if may_bind_low_ports else _with_container(local, _on_high_ports)
        case "IngressClass", name if name == _DEFAULT_CLASS:
            return with_metadata(obj, annotations={**annotations_of(obj), DEFAULT_INGRESS_CLASS: "true"})
    return obj


def _at_entry(service: Object, entry: Entry) -> Object:
    numbers = {"http": entry.http_port, "https": entry.https_port}
    ports = [{**port, "port": numbers.get(port.get("name", ""), port["port"])} for port in service["spec"]["ports"]]
    return {**service, "spec": {**service["spec"], "type": "LoadBalancer", "loadBalancerIP": entry.address, "ports": ports}}


def _with_container(deployment: Object, change: Callable[[Object], Object]) -> Object:
    template = deployment["spec"]["template"]
    containers = [change(container) for container in template["spec"]["containers"]]
    changed = {**template, "spec": {**template["spec"], "containers": containers}}
    return {**deployment, "spec": {**deployment["spec"], "template": changed}}


def _with_local_flags(container: Object) -> Object:
    return {**container, "args": [*(container.get("args") or ()), *_LOCAL_FLAGS]}


def _on_high_ports(container: Object) -> Object:
    ports = [{**port, "containerPort": _HIGH_PORTS.get(port["name"], port["containerPort"])} for port in container["ports"]]
    flags = [f"--{name}-port={number}" for name, number in _HIGH_PORTS.items()]
    return {**container, "args": [*(container.get("args") or ()), *flags], "ports": ports}


def controller_obstacle(pods: Iterable[Mapping[str, Any]]) -> str:
    """Why the Ingress controller is not ready, "" if it is."""
    living = [pod for pod in pods if not is_terminating(pod)]
    if any(is_ready(pod) for pod in living):
        return ""
    if not living:
        return "its pod does not exist yet"
    return f"pod {living[0]['metadata']['name']} {_waiting_for(living[0])}"


def upgraded(existing: Object, packaged: Object) -> Object:
    """The existing object with what the package says, keeping what the cluster or a person added."""
    merged: Object = _merge(existing, packaged)
    if packaged["kind"] == "Service":
        merged["spec"]["ports"] = [
            _keep_node_port(port, existing["spec"].get("ports") or ()) for port in packaged["spec"]["ports"]
        ]
    return merged


async def _apply(registry: Registry, obj: Object) -> None:
    with unreviewed():
        await _apply_unreviewed(registry, obj)


async def _apply_unreviewed(registry: Registry, obj: Object) -> None:
    resource, meta = _resource(registry, obj), obj["metadata"]
    marked = _marked(obj)
    existing = registry.find(resource, meta.get("namespace", ""), meta["name"])
    if existing is None:
        try:
            await registry.create(resource, marked)
            return
        except ApiError as error:
            if error.reason != "AlreadyExists":  # a controller may be as quick
                raise
            existing = registry.find(resource, meta.get("namespace", ""), meta["name"])
    if existing is not None and annotations_of(existing).get(PACKAGED) != annotations_of(marked)[PACKAGED]:
        await registry.update(resource, upgraded(existing, marked))


def _resource(registry: Registry, obj: Object) -> str:
    resource = registry.resources.find_name(obj["apiVersion"], obj["kind"])
    if resource is None:
        raise ConfigurationError(
            f"the packaged manifest holds a {obj['kind']} of {obj['apiVersion']}, which is not served here"
        )
    return resource


def _marked(obj: Object) -> Object:
    digest = hashlib.sha256(msgspec.json.encode(obj, order="deterministic")).hexdigest()[:16]
    annotations = {**annotations_of(obj), PACKAGED: digest}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}


def _merge(existing: Any, packaged: Any) -> Any:
    """A JSON merge: objects by key, anything else as the package says."""
    if not isinstance(existing, dict) or not isinstance(packaged, dict):
        return packaged
    return existing | {key: _merge(existing.get(key), value) for key, value in packaged.items()}


def _keep_node_port(port: Object, existing: Iterable[Object]) -> Object:
    for before in existing:
        if before.get("name") == port.get("name") and before.get("nodePort"):
            return {"nodePort": before["nodePort"], **port}
    return port


def _waiting_for(pod: Mapping[str, Any]) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return f"waits: {waiting.get('reason', '')} {waiting.get('message', '')}".strip()
    return f"is {(pod.get('status') or {}).get('phase', 'Pending')} and not ready"
