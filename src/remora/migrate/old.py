"""The controller of today, found among manifests, objects of a cluster and Helm values: what it was told, and where it is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.core.names import NamespacedName
from remora.migrate.flags import KnownFlag, parse_arguments
from remora.migrate.helm import flags_of, is_values, pod_fields, ports_of, settings_of

Object = Mapping[str, Any]

UNNAMED = "NAME"
"""What stands for a name that the input does not say."""
_WORKLOADS = ("Deployment", "DaemonSet")
_OF_WORKLOAD: Mapping[str, type] = {
    "metadata": dict,
    "metadata.name": str,
    "spec": dict,
    "spec.replicas": int,
    "spec.template": dict,
    "spec.template.metadata": dict,
    "spec.template.metadata.labels": dict,
    "spec.template.spec": dict,
    "spec.template.spec.containers": list,
    "spec.template.spec.containers[]": dict,
    "spec.template.spec.containers[].command": list,
    "spec.template.spec.containers[].command[]": str,
    "spec.template.spec.containers[].args": list,
    "spec.template.spec.containers[].args[]": str,
    "spec.template.spec.containers[].resources": dict,
}
_OF_SERVICE: Mapping[str, type] = {
    "metadata": dict,
    "spec": dict,
    "spec.selector": dict,
    "spec.ports": list,
    "spec.ports[]": dict,
}
_SHAPES: Mapping[str, Mapping[str, type]] = {
    **dict.fromkeys(_WORKLOADS, _OF_WORKLOAD),
    "Service": _OF_SERVICE,
    "ConfigMap": {"metadata": dict, "data": dict},
    "": {"controller.replicaCount": int, "controller.resources": dict},
}
"""What must stand in the fields that are looked at, by kind; "" is that of Helm values."""
_TYPES = {dict: "an object", list: "a list", str: "text", int: "a whole number"}

USUAL_NAMESPACE = "ingress-nginx"
_LONGEST = 40
_IMAGES = ("ingress-nginx/controller", "nginx-ingress-controller")
_POD_FIELDS = (
    "dnsPolicy", "dnsConfig", "tolerations", "affinity", "topologySpreadConstraints", "terminationGracePeriodSeconds",
    "nodeSelector", "priorityClassName", "hostAliases", "runtimeClassName",
)  # fmt: skip


class Old(msgspec.Struct, frozen=True):
    """What is known of it. `settings`, `tcp` and `udp` are the data of its ConfigMaps; None where there is none to be seen."""

    namespace: str = USUAL_NAMESPACE
    workload: str = ""
    flags: Mapping[str, str] = {}
    values: Mapping[str, Any] = {}
    service: NamespacedName | None = None
    selector: Mapping[str, str] = {}
    replicas: int | None = None
    resources: Mapping[str, Any] = {}
    pod: Mapping[str, Any] = {}
    settings: Mapping[str, str] = {}
    tcp: Mapping[str, str] = {}
    udp: Mapping[str, str] = {}


def find_misshapen(document: Object) -> str:
    """The first field that is looked at and holds something of another type, and what it should be; "" where all is well."""
    kind = "" if is_values(document) else str(document.get("kind"))
    for path, wanted in _SHAPES.get(kind, {}).items():
        for field, value in _values_at(document, path.replace("[]", ".[]").split("."), ""):
            if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
                quotes = "; write it in quotes" if wanted is str and isinstance(value, bool | int | float) else ""
                return f"{field}: found {_short(value)}, needed {_TYPES[wanted]}{quotes}"
    return ""


def _values_at(value: Any, path: Sequence[str], field: str) -> Iterator[tuple[str, Any]]:
    """Every value at a path, with its field; what is absent or null is none."""
    if not path:
        yield field, value
    elif path[0] == "[]" and isinstance(value, list):
        for number, one in enumerate(value):
            yield from _values_at(one, path[1:], f"{field}[{number}]")
    elif isinstance(value, dict) and value.get(path[0]) is not None:
        yield from _values_at(value[path[0]], path[1:], f"{field}.{path[0]}".removeprefix("."))


def _short(value: Any) -> str:
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def find_old(documents: Sequence[Object], known: Mapping[str, KnownFlag]) -> Old:
    """The controller: its Deployment or DaemonSet goes before Helm values, where both say something."""
    values: Mapping[str, Any] = next((one for one in documents if is_values(one)), {})
    controller = values.get("controller") or {}
    workload = next((one for one in documents if find_container(one)), None)
    container = find_container(workload) if workload else None
    namespace = _namespace(workload) if workload else USUAL_NAMESPACE
    arguments = (*(container.get("command") or ()), *(container.get("args") or ())) if container else ()
    flags = flags_of(values) | parse_arguments(arguments, known)
    flags = {name: _filled(value, namespace) for name, value in flags.items()}
    spec = (workload or {}).get("spec") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    service = _find_service(documents, namespace, labels, flags.get("publish-service", ""))
    return Old(
        namespace=namespace,
        workload=f"{workload['kind']} {namespace}/{_metadata(workload).get('name') or UNNAMED}" if workload else "",
        flags=flags,
        values=values,
        service=_name_of(service) if service else None,
        selector=(service.get("spec") or {}).get("selector") or {} if service else {},
        replicas=spec.get("replicas", controller.get("replicaCount")),
        resources=(container or {}).get("resources") or controller.get("resources") or {},
        pod=pod_fields(values) | {name: pod[name] for name in _POD_FIELDS if pod.get(name)},
        settings=settings_of(values) | _data(documents, flags.get("configmap", "")),
        tcp=ports_of(values, "tcp") | _data(documents, flags.get("tcp-services-configmap", "")),
        udp=ports_of(values, "udp") | _data(documents, flags.get("udp-services-configmap", "")),
    )


def find_container(document: Object) -> Object | None:
    """The container of ingress-nginx in a Deployment or DaemonSet; None if it is something else."""
    if document.get("kind") not in _WORKLOADS:
        return None
    spec = ((document.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in spec.get("containers") or ():
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        names_it = any(str(word).endswith("/nginx-ingress-controller") for word in words[:2])
        if names_it or any(image in str(container.get("image", "")) for image in _IMAGES):
            found: Object = container
            return found
    return None


def _find_service(documents: Iterable[Object], namespace: str, labels: Mapping[str, str], published: str) -> Object | None:
    """The entry Service: the published one, else the one for clients that selects the controller's pods."""
    services = [one for one in documents if one.get("kind") == "Service" and _namespace(one) == namespace]
    for service in services:
        if str(_name_of(service)) == published:
            return service
    fitting = [one for one in services if _selects(one, labels) and _has_port(one, (80, 443))]
    return min(fitting, key=lambda one: (_spec(one).get("type", "ClusterIP") == "ClusterIP", str(_name_of(one))), default=None)


def _selects(service: Object, labels: Mapping[str, str]) -> bool:
    selector = _spec(service).get("selector") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _has_port(service: Object, ports: Sequence[int]) -> bool:
    return any(one.get("port") in ports for one in _spec(service).get("ports") or ())


def _spec(document: Object) -> Object:
    found: Object = document.get("spec") or {}
    return found


def _data(documents: Iterable[Object], name: str) -> dict[str, str]:
    """The data of the ConfigMap `namespace/name`."""
    for one in documents:
        if one.get("kind") == "ConfigMap" and name and str(_name_of(one)) == name:
            return {str(key): str(value) for key, value in (one.get("data") or {}).items()}
    return {}


def _name_of(document: Object) -> NamespacedName:
    return NamespacedName(_namespace(document), str(_metadata(document).get("name", "")))


def _namespace(document: Object) -> str:
    return str(_metadata(document).get("namespace") or "default")


def _metadata(document: Object) -> Object:
    found: Object = document.get("metadata") or {}
    return found


def _filled(value: str, namespace: str) -> str:
    """`$(POD_NAMESPACE)` as it is where the controller runs: Remora may run elsewhere."""
    return value.replace("$(POD_NAMESPACE)", namespace)
