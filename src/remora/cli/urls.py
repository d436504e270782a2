"""From a Service to the URLs under which it can be reached on this machine."""

from typing import Any

import msgspec

from remora.cli.api import Api
from remora.core.errors import ApiServerRefused, UsageError

LOCALHOST = "127.0.0.1"
"""Where node ports listen, besides on the node's own address."""

LISTENING = "remora.io/Listening"
"""The Service condition in which the layer-4 proxy says what it could not listen on."""


class Urls(msgspec.Struct, frozen=True):
    """Where a Service can be reached, and what keeps it from answering somewhere."""

    urls: tuple[str, ...]
    problem: str = ""
    name: str = ""
    """By which pods know it."""


def fetch_urls(api: Api, namespace: str, name: str) -> Urls:
    """The Service's URLs.

    Raises:
        UsageError: there is no such Service, or it has no address of its own.
    """
    try:
        service = api.read(f"/api/v1/namespaces/{namespace}/services/{name}")
    except ApiServerRefused as error:
        if error.status == 404:
            hint = f"`kubectl get services -n {namespace}` lists what there is"
            raise UsageError(f"there is no Service {name} in namespace {namespace}; {hint}") from error
        raise
    found = service_urls(service)
    if not found:
        raise UsageError(f"Service {namespace}/{name} has no address: {_why(service)}")
    return Urls(tuple(found), find_problem(service), f"{name}.{namespace}.svc.cluster.local")


def find_problem(service: dict[str, Any]) -> str:
    """What the Service could not listen on, "" if nothing."""
    for condition in service.get("status", {}).get("conditions") or ():
        if condition["type"] == LISTENING and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""


def service_urls(service: dict[str, Any]) -> list[str]:
    """One URL for each TCP port: at the load balancer's address if it has one, else at the cluster IP.

    Where nothing could listen there (an ordinary user and port 80, say), at the node port if that does.
    """
    spec = service["spec"]
    points = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    address = next((point["ip"] for point in points if point.get("ip")), spec.get("clusterIP") or "None")
    if address == "None":
        return []
    ports = [port for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"]
    blocked = find_problem(service)
    return [_url(*_place(address, port, blocked), secure=_is_https(port)) for port in ports]


def _place(address: str, port: dict[str, Any], blocked: str) -> tuple[str, int]:
    """Address and port to use, given what the Service could not listen on."""
    number, node_port = port["port"], port.get("nodePort")
    if node_port and f"{address}:{number} " in blocked and f"{LOCALHOST}:{node_port} " not in blocked:
        return LOCALHOST, node_port
    return address, number


def _is_https(port: dict[str, Any]) -> bool:
    return port.get("name") == "https" or port["port"] == 443


def _url(address: str, port: int, *, secure: bool) -> str:
    scheme, usual = ("https", 443) if secure else ("http", 80)
    return f"{scheme}://{address}" + ("" if port == usual else f":{port}")


def _why(service: dict[str, Any]) -> str:
    if service["spec"].get("type") == "ExternalName":
        return f"it stands for {service['spec'].get('externalName')}"
    return "it is headless; its pods' addresses are in its EndpointSlices"
