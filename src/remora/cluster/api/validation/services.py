"""Checks of Services."""

from collections.abc import Iterator

from remora.cluster.api.errors import Cause, duplicate, invalid_value, required, unsupported
from remora.cluster.api.names import check_labels, wrong_with_label, wrong_with_subdomain
from remora.cluster.api.validation.fields import Object, check_port, listed

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def check_service(service: Object) -> Iterator[Cause]:
    spec = service["spec"]
    kind = spec.get("type")
    is_headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not is_headless and kind != "ExternalName":
        yield required("spec.ports")
    if kind == "ExternalName":
        yield from _check_external_name(str(spec.get("externalName") or ""))
    if kind in ("NodePort", "LoadBalancer") and is_headless:
        yield invalid_value("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    yield from _check_ports(spec)
    yield from check_labels(spec.get("selector") or {}, "spec.selector")
    if spec.get("sessionAffinity") not in _AFFINITIES:
        yield unsupported("spec.sessionAffinity", spec.get("sessionAffinity"), _AFFINITIES)
    if kind not in _TYPES:
        yield unsupported("spec.type", kind, _TYPES)


def _check_external_name(name: str) -> Iterator[Cause]:
    if not name:
        yield required("spec.externalName")
    else:
        yield from (invalid_value("spec.externalName", name, wrong) for wrong in wrong_with_subdomain(name.removesuffix(".")))


def _check_ports(spec: Object) -> Iterator[Cause]:
    ports = listed(spec, "ports")
    names: set[str] = set()
    addresses: set[tuple[object, object]] = set()
    for index, port in ports:
        where = f"spec.ports[{index}]"
        yield from _check_name(port, where, names, must_be_named=len(ports) > 1)
        yield from check_port(port.get("port"), f"{where}.port")
        if port.get("protocol") not in _PROTOCOLS:
            yield unsupported(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)
        if isinstance(port.get("targetPort"), int):
            yield from check_port(port["targetPort"], f"{where}.targetPort")
        address = (port.get("protocol"), port.get("port"))
        if address in addresses:
            yield duplicate(where, {"port": port.get("port"), "protocol": port.get("protocol")})
        addresses.add(address)


def _check_name(port: Object, where: str, names: set[str], *, must_be_named: bool) -> Iterator[Cause]:
    name = str(port.get("name") or "")
    if not name:
        if must_be_named:
            yield required(f"{where}.name")
        return
    yield from (invalid_value(f"{where}.name", name, wrong) for wrong in wrong_with_label(name))
    if name in names:
        yield duplicate(f"{where}.name", name)
    names.add(name)
