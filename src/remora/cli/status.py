"""What `remora status` says, as a value: the cluster, its pods, Services and Ingresses, and what is wrong with them."""

from typing import Any

import msgspec

from remora.cli.api import Api
from remora.cli.urls import find_problem, service_urls
from remora.cluster.lock import find_runner
from remora.cluster.profile import Profile

Object = dict[str, Any]


class PodLine(msgspec.Struct, frozen=True):
    """A pod as `kubectl get pods` would count it."""

    namespace: str
    name: str
    ready: str
    state: str
    restarts: int
    ip: str
    created: str = ""


class ServiceLine(msgspec.Struct, frozen=True):
    """A Service, where it answers, and what keeps it from listening."""

    namespace: str
    name: str
    type: str
    urls: tuple[str, ...]
    problem: str


class IngressLine(msgspec.Struct, frozen=True):
    """An Ingress, its hosts and its address."""

    namespace: str
    name: str
    hosts: tuple[str, ...]
    address: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A local cluster at one moment; the lists are empty when it does not run."""

    profile: str
    running: bool
    pid: int = 0
    directory: str = ""
    server: str = ""
    entry: str = ""
    pods: tuple[PodLine, ...] = ()
    services: tuple[ServiceLine, ...] = ()
    ingresses: tuple[IngressLine, ...] = ()


def read_status(profile: Profile) -> Status:
    """The profile's status.

    Raises:
        ApiServerUnreachable: it runs and does not answer.
    """
    pid = find_runner(profile)
    if pid is None:
        return Status(profile=profile.name, running=False, directory=str(profile.directory))
    api = Api(profile.kubeconfig)
    services = api.read("/api/v1/services")["items"]
    return Status(
        profile=profile.name,
        running=True,
        pid=pid,
        directory=str(profile.directory),
        server=api.server,
        entry=find_entry(services),
        pods=tuple(pod_line(pod) for pod in api.read("/api/v1/pods")["items"]),
        services=tuple(service_line(service) for service in services),
        ingresses=tuple(ingress_line(item) for item in api.read("/apis/networking.k8s.io/v1/ingresses")["items"]),
    )


def find_entry(services: list[Object]) -> str:
    """The URL of the Ingress controller's Service, "" if it has none yet."""
    for service in services:
        meta = service["metadata"]
        if (meta["namespace"], meta["name"]) == ("ingress-remora", "remora-controller"):
            return next(iter(service_urls(service)), "")
    return ""


def pod_line(pod: Object) -> PodLine:
    """One pod's line."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses") or ()
    ready = sum(1 for container in containers if container.get("ready"))
    return PodLine(
        namespace=pod["metadata"]["namespace"],
        name=pod["metadata"]["name"],
        ready=f"{ready}/{len(pod['spec']['containers'])}",
        state=_pod_state(pod),
        restarts=sum(container.get("restartCount", 0) for container in containers),
        ip=status.get("podIP", ""),
        created=pod["metadata"].get("creationTimestamp", ""),
    )


def service_line(service: Object) -> ServiceLine:
    """One Service's line."""
    return ServiceLine(
        namespace=service["metadata"]["namespace"],
        name=service["metadata"]["name"],
        type=service["spec"].get("type", "ClusterIP"),
        urls=tuple(service_urls(service)),
        problem=find_problem(service),
    )


def ingress_line(ingress: Object) -> IngressLine:
    """One Ingress' line."""
    points = ingress.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    return IngressLine(
        namespace=ingress["metadata"]["namespace"],
        name=ingress["metadata"]["name"],
        hosts=tuple(rule.get("host") or "*" for rule in ingress["spec"].get("rules") or ()),
        address=",".join(point.get("ip") or point.get("hostname", "") for point in points),
    )


def _pod_state(pod: Object) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod.get("status", {})
    for container in status.get("containerStatuses") or ():
        state = container.get("state", {})
        reason: str = (state.get("waiting") or state.get("terminated") or {}).get("reason", "")
        if reason:
            return reason
    phase: str = status.get("phase", "Pending")
    return phase
