"""Checks of pods and of the pods in templates."""

from collections.abc import Iterator

from remora.cluster.api.errors import Cause, duplicate, forbidden_field, invalid_value, required, unsupported
from remora.cluster.api.names import wrong_with_label
from remora.cluster.api.validation.fields import Object, check_not_negative, check_port, listed

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")

_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod(pod: Object) -> Iterator[Cause]:
    yield from check_pod_spec(pod["spec"], "spec")


def check_pod_spec(spec: Object, field: str) -> Iterator[Cause]:
    volumes = list(_check_volumes(spec, field))
    yield from volumes
    known = {volume.get("name") for _, volume in listed(spec, "volumes")}
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    names: set[str] = set()
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in listed(spec, group):
            where = f"{field}.{group}[{index}]"
            yield from _check_container(container, where, names)
            yield from _check_mounts(container, where, known)
    if spec.get("restartPolicy") not in _RESTART_POLICIES:
        yield unsupported(f"{field}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES)
    yield from check_not_negative(spec.get("terminationGracePeriodSeconds"), f"{field}.terminationGracePeriodSeconds")


def _check_volumes(spec: Object, field: str) -> Iterator[Cause]:
    names: set[str] = set()
    for index, volume in listed(spec, "volumes"):
        name, where = str(volume.get("name") or ""), f"{field}.volumes[{index}]"
        if not name:
            yield required(f"{where}.name")
        else:
            yield from (invalid_value(f"{where}.name", name, wrong) for wrong in wrong_with_label(name))
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)


def _check_container(container: Object, field: str, names: set[str]) -> Iterator[Cause]:
    name = str(container.get("name") or "")
    if not name:
        yield required(f"{field}.name")
    elif name in names:
        yield duplicate(f"{field}.name", name)
    else:
        yield from (invalid_value(f"{field}.name", name, wrong) for wrong in wrong_with_label(name))
    names.add(name)
    image = str(container.get("image") or "")
    if not image:
        yield required(f"{field}.image")
    elif image != image.strip():
        yield invalid_value(f"{field}.image", image, "must not have leading or trailing whitespace")
    yield from _check_ports(container, field)
    yield from _check_environment(container, field)
    for probe in _PROBES:
        if container.get(probe) is not None:
            yield from _check_handler(container[probe], f"{field}.{probe}")
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        yield unsupported(f"{field}.imagePullPolicy", container.get("imagePullPolicy"), _PULL_POLICIES)


def _check_ports(container: Object, field: str) -> Iterator[Cause]:
    names: set[str] = set()
    for index, port in listed(container, "ports"):
        where = f"{field}.ports[{index}]"
        name = port.get("name")
        if name and name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name or "")
        if port.get("containerPort") is None:
            yield required(f"{where}.containerPort")
        else:
            yield from check_port(port["containerPort"], f"{where}.containerPort")
        if port.get("protocol") not in _PROTOCOLS:
            yield unsupported(f"{where}.protocol", port.get("protocol"), _PROTOCOLS)


def _check_environment(container: Object, field: str) -> Iterator[Cause]:
    for index, variable in listed(container, "env"):
        where = f"{field}.env[{index}]"
        if not variable.get("name"):
            yield required(f"{where}.name")
        if variable.get("value") and variable.get("valueFrom"):
            yield invalid_value(f"{where}.valueFrom", "", "may not be specified when `value` is not empty")


def _check_handler(probe: Object, field: str) -> Iterator[Cause]:
    given = [name for name in _HANDLERS if probe.get(name) is not None]
    if not given:
        yield required(field, "must specify a handler type")
    yield from (forbidden_field(f"{field}.{name}", "may not specify more than 1 handler type") for name in given[1:])


def _check_mounts(container: Object, field: str, volumes: set[str | None]) -> Iterator[Cause]:
    for index, mount in listed(container, "volumeMounts"):
        where = f"{field}.volumeMounts[{index}]"
        name = mount.get("name")
        if not name:
            yield required(f"{where}.name")
        elif name not in volumes:
            yield Cause(f"{where}.name", "FieldValueNotFound", f'Not found: "{name}"')
        if not mount.get("mountPath"):
            yield required(f"{where}.mountPath")


def check_pod_update(pod: Object, before: Object) -> Iterator[Cause]:
    """Only a few fields of a pod's spec may change. Kubernetes adds the difference of its Go structs to the message."""
    if not before["spec"].get("nodeName") and pod["spec"].get("nodeName"):
        # The kubelet places a pod by an update: there is one node, and hence no scheduler that would bind it.
        before = {**before, "spec": {**before["spec"], "nodeName": pod["spec"]["nodeName"]}}
    if _fixed(pod["spec"]) != _fixed(before["spec"]):
        yield forbidden_field("spec", _IMMUTABLE)


def _fixed(spec: Object) -> Object:
    changeable = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "containers", "initContainers")
    fixed = {name: value for name, value in spec.items() if name not in changeable}
    for group in ("initContainers", "containers"):
        fixed[group] = [{key: value for key, value in item.items() if key != "image"} for _, item in listed(spec, group)]
    return fixed
