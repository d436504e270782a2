"""A container's command and environment from its spec. Pure; what is looked up comes from a `Sources`.

A container's process cannot have a root file system or a network namespace of its own, so it is told by its environment what a
container would find by itself: `POD_IP`, `HOST` (the same), `PORT` (the first container port, else 8080), `POD_NAME`,
`POD_NAMESPACE`, `POD_UID` and `NODE_NAME`. A value given in the pod's spec wins over all of them.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.kubelet.expansion import expand, expand_in_order
from remora.cluster.kubelet.images import Image
from remora.cluster.kubelet.placing import image_environment, placed_words
from remora.cluster.kubelet.quantities import in_units, quantity
from remora.cluster.objects import Object, annotations_of, labels_of, uid_of

DEFAULT_PORT = 8080
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
)
_ENV_NAME = re.compile(r"[ -<>-~]+")
"""Printable ASCII but `=`, as since Kubernetes 1.34."""
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['([^']+)'\]")


class ConfigError(Exception):
    """A container cannot be made from its spec yet; the message is what its status says (`CreateContainerConfigError`)."""


class Sources(msgspec.Struct, frozen=True):
    """Where values come from: the namespace's ConfigMaps, Secrets, Services, and the volumes that its claims are bound to."""

    find_config_map: Callable[[str], Object | None]
    find_secret: Callable[[str], Object | None]
    find_claimed_volume: Callable[[str], Object | None] = lambda _: None
    services: Sequence[Object] = ()
    api_host: str = ""
    api_port: int = 0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pod runs: addresses, and its folders. `volumes` maps volume names, `mounts` mount paths to folders."""

    pod_ip: str
    node_ip: str
    node_name: str
    volumes: Mapping[str, str] = {}
    mounts: Mapping[str, str] = {}
    service_account: str = ""
    allocatable: Mapping[str, str] = {}
    termination_log: str = ""


def command(container: Mapping[str, Any], image: Image, values: Mapping[str, str]) -> list[str]:
    """The argument vector: `command` replaces the image's command and arguments, `args` alone the arguments.

    A `command` that calls the image's own program by its path means what the image runs in its place.
    """
    given, args = container.get("command") or (), container.get("args")
    spoken = [expand(part, values) for part in (*given, *(args or ()))]
    if given and given[0] == image.program:
        words = [*image.command, *spoken[1:]]
    elif given:
        words = spoken
    elif image.root:
        words = [*image.command, *(spoken if args else image.arguments)]
    else:
        words = [*(expand(part, values) for part in image.command), *spoken]
    return placed_words(words, image, values.get("POD_IP", ""))


def first_port(container: Mapping[str, Any]) -> int | None:
    """The first TCP port that the container declares, or None."""
    for port in container.get("ports") or ():
        if port.get("protocol", "TCP") == "TCP":
            return int(port["containerPort"])
    return None


def environment(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    image: Image,
    *,
    place: Place,
    sources: Sources,
    inherited: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of the container's process; `inherited` is the cluster process's.

    Raises:
        ConfigError: a ConfigMap, Secret or key that is not optional does not exist.
    """
    base = {name: inherited[name] for name in _PASSED_ON if name in inherited}
    own = _told(pod, container, place)
    if image.ports and first_port(container) is None:
        own["PORT"] = str(image.ports[0])
    services = service_environment(pod, sources)
    listed = _from_sources(container, sources)
    declared = list(_declared(pod, container, place, sources))
    told = {**services, **own}
    of_image = image_environment(image, inherited) if image.root else expand_in_order(image.env.items(), told)
    known = {**services, **own, **of_image, **listed}
    return {**base, **known, **expand_in_order(declared, known)}


def service_environment(pod: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    """`KUBERNETES_SERVICE_HOST` and the like; those of the namespace's Services unless `enableServiceLinks` is false."""
    result: dict[str, str] = {}
    if pod["spec"].get("enableServiceLinks") is not False:
        for service in sources.services:
            result |= _service_variables(service)
    if sources.api_host:
        result |= _links("KUBERNETES", sources.api_host, [{"name": "https", "port": sources.api_port}])
    return result


def field_value(pod: Mapping[str, Any], path: str, place: Place) -> str:
    """A downward API `fieldRef.fieldPath`.

    Raises:
        ConfigError: there is no such field.
    """
    metadata = pod["metadata"]
    simple: dict[str, str] = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata.get("namespace", ""),
        "metadata.uid": uid_of(pod),
        "spec.nodeName": place.node_name,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName") or "default",
        "status.podIP": place.pod_ip,
        "status.podIPs": place.pod_ip,
        "status.hostIP": place.node_ip,
        "status.hostIPs": place.node_ip,
    }
    if path in simple:
        return simple[path]
    if match := _SUBSCRIPT.fullmatch(path):
        return (labels_of(pod) if match[1] == "metadata.labels" else annotations_of(pod)).get(match[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = labels_of(pod) if path == "metadata.labels" else annotations_of(pod)
        return "\n".join(f'{name}="{_escape(pairs[name])}"' for name in sorted(pairs))
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(pod: Mapping[str, Any], reference: Mapping[str, Any], place: Place, *, container: str = "") -> str:
    """A downward API `resourceFieldRef`, in its divisor's units; what has no limit may use all of the node.

    Raises:
        ConfigError: there is no such container.
    """
    wanted = reference.get("containerName") or container
    containers = (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ()))
    found = next((spec for spec in containers if spec["name"] == wanted), None)
    if found is None:
        raise ConfigError(f"container {wanted} not found")
    section, _, name = str(reference["resource"]).partition(".")
    given = ((found.get("resources") or {}).get(section) or {}).get(name)
    if given is None:
        given = place.allocatable.get(name, "0") if section == "limits" else "0"
    return in_units(quantity(given), reference.get("divisor"))


def _told(pod: Mapping[str, Any], container: Mapping[str, Any], place: Place) -> dict[str, str]:
    told = {
        "POD_IP": place.pod_ip,
        "HOST": place.pod_ip,
        "PORT": str(first_port(container) or DEFAULT_PORT),
        "POD_NAME": pod["metadata"]["name"],
        "POD_NAMESPACE": pod["metadata"]["namespace"],
        "POD_UID": uid_of(pod),
        "NODE_NAME": place.node_name,
        "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"],
        "REMORA_POD_UID": uid_of(pod),
        "REMORA_CONTAINER": container["name"],
        "REMORA_VOLUMES": msgspec.json.encode(place.mounts).decode(),
        # A container's log is read while it runs; Python would hold back what it prints to a pipe.
        "PYTHONUNBUFFERED": "1",
    }
    told |= {f"REMORA_VOLUME_{_variable(name)}": folder for name, folder in place.volumes.items()}
    told |= {"REMORA_TERMINATION_LOG": place.termination_log} if place.termination_log else {}
    return {**told, "REMORA_SERVICE_ACCOUNT_DIR": place.service_account} if place.service_account else told


def _from_sources(container: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    """`envFrom`; later entries win."""
    result: dict[str, str] = {}
    for entry in container.get("envFrom") or ():
        prefix = entry.get("prefix") or ""
        for part, find, decode, kind in _kinds(sources):
            if (reference := entry.get(part + "Ref")) is None:
                continue
            obj = find(reference["name"])
            if obj is None and not reference.get("optional"):
                raise ConfigError(f'{kind} "{reference["name"]}" not found')
            data = {prefix + name: decode(value) for name, value in ((obj or {}).get("data") or {}).items()}
            result |= {name: value for name, value in data.items() if _ENV_NAME.fullmatch(name)}
    return result


def _kinds(sources: Sources) -> Iterable[tuple[str, Callable[[str], Object | None], Callable[[str], str], str]]:
    return (
        ("configMap", sources.find_config_map, str, "configmap"),
        ("secret", sources.find_secret, decode_secret, "secret"),
    )


def decode_secret(value: str) -> str:
    """A value of a Secret's `data` as text."""
    return base64.b64decode(value).decode("utf-8", "surrogateescape")


def _declared(
    pod: Mapping[str, Any], container: Mapping[str, Any], place: Place, sources: Sources
) -> Iterable[tuple[str, str]]:
    for entry in container.get("env") or ():
        source = entry.get("valueFrom")
        if not source:
            yield entry["name"], entry.get("value") or ""
        elif "fieldRef" in source:
            # A dollar sign in a value from elsewhere is no reference.
            yield entry["name"], _literal(field_value(pod, source["fieldRef"]["fieldPath"], place))
        elif "resourceFieldRef" in source:
            told = resource_value(pod, source["resourceFieldRef"], place, container=container["name"])
            yield entry["name"], _literal(told)
        elif (value := _keyed(source, sources)) is not None:
            yield entry["name"], _literal(value)


def _keyed(source: Mapping[str, Any], sources: Sources) -> str | None:
    for part, find, decode, kind in _kinds(sources):
        reference = source.get(part + "KeyRef")
        if reference is None:
            continue
        obj = find(reference["name"])
        value = ((obj or {}).get("data") or {}).get(reference["key"])
        if value is not None:
            return decode(value)
        if reference.get("optional"):
            return None
        if obj is None:
            raise ConfigError(f'{kind} "{reference["name"]}" not found')
        where = f"{obj['metadata']['namespace']}/{reference['name']}"
        raise ConfigError(f"couldn't find key {reference['key']} in {'ConfigMap' if kind == 'configmap' else 'Secret'} {where}")
    return None


def _literal(text: str) -> str:
    return text.replace("$", "$$")


def _service_variables(service: Mapping[str, Any]) -> dict[str, str]:
    address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or []
    if not address or address == "None" or not ports:
        return {}
    return _links(_variable(service["metadata"]["name"]), address, ports)


def _links(prefix: str, address: str, ports: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    result = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    for index, port in enumerate(ports):
        number, protocol = port["port"], port.get("protocol", "TCP")
        url = f"{protocol.lower()}://{address}:{number}"
        if port.get("name"):
            result[f"{prefix}_SERVICE_PORT_{_variable(port['name'])}"] = str(number)
        if index == 0:
            result[f"{prefix}_PORT"] = url
        stem = f"{prefix}_PORT_{number}_{protocol}"
        result |= {stem: url, f"{stem}_PROTO": protocol.lower(), f"{stem}_PORT": str(number), f"{stem}_ADDR": address}
    return result


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
