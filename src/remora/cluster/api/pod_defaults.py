"""What Kubernetes fills into pods and pod templates (`pkg/apis/core/v1/defaults.go`, and the admission plugins it starts with)."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_POD_SPEC: Object = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER: Object = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Object = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_FILE_MODE = 0o644
_TOLERATION = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def fill(target: Object, values: Object) -> None:
    """Sets what is absent or null; containers of the values are copied, so that they are never shared."""
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value.copy() if isinstance(value, dict | list) else value


def containers_of(spec: Object) -> Iterator[Object]:
    for part in _CONTAINER_LISTS:
        yield from spec.get(part) or ()


def set_pod_defaults(pod: Object) -> None:
    """Defaults of a pod that is created: those of every pod template and those that only a pod has."""
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        return
    set_pod_spec_defaults(spec)
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec |= {"serviceAccountName": account, "serviceAccount": account}
    fill(spec, {"enableServiceLinks": True, "priority": 0, "preemptionPolicy": "PreemptLowerPriority"})
    _tolerate_lost_nodes(spec)
    for container in containers_of(spec):
        _request_what_is_limited(container.get("resources"))
    fill(pod, {"status": {}})
    fill(pod["status"], {"phase": "Pending", "qosClass": quality_of_service(spec)})


def set_pod_spec_defaults(spec: Object) -> None:
    fill(spec, _POD_SPEC)
    if spec.get("serviceAccountName") and not spec.get("serviceAccount"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in containers_of(spec):
        _set_container_defaults(container, is_on_host=bool(spec.get("hostNetwork")))
    for volume in spec.get("volumes") or ():
        _set_volume_defaults(volume)


def _set_container_defaults(container: Object, *, is_on_host: bool) -> None:
    fill(container, _CONTAINER)
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    for port in container.get("ports") or ():
        fill(port, {"protocol": "TCP"})
        if is_on_host and not port.get("hostPort"):
            port["hostPort"] = port.get("containerPort")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference:
            fill(reference, {"apiVersion": "v1"})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe := container.get(name):
            _set_probe_defaults(probe)
    for action in (container.get("lifecycle") or {}).values():
        if isinstance(action, dict):
            _set_http_defaults(action)


def pull_policy(image: str) -> str:
    """`Always` for the tag `latest`, named or not; a digest or any other tag need not be looked for again."""
    if "@" in image:
        return "IfNotPresent"
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _set_probe_defaults(probe: Object) -> None:
    fill(probe, _PROBE)
    _set_http_defaults(probe)
    if probe.get("grpc"):
        fill(probe["grpc"], {"service": ""})


def _set_http_defaults(action: Object) -> None:
    if request := action.get("httpGet"):
        fill(request, {"path": "/", "scheme": "HTTP"})


def _set_volume_defaults(volume: Object) -> None:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(volume.get(kind), dict):
            fill(volume[kind], {"defaultMode": _FILE_MODE})
    if isinstance(volume.get("hostPath"), dict):
        fill(volume["hostPath"], {"type": ""})
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}


def _tolerate_lost_nodes(spec: Object) -> None:
    """The admission plugin DefaultTolerationSeconds."""
    tolerations = list(spec.get("tolerations") or ())
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            found.get("key") in (key, None, "") and found.get("effect") in ("NoExecute", None, "") for found in tolerations
        ):
            tolerations.append({"key": key, **_TOLERATION})
    spec["tolerations"] = tolerations


def _request_what_is_limited(resources: Any) -> None:
    if isinstance(resources, dict) and resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def quality_of_service(spec: Object) -> str:
    """The pod's QoS class: by whether its containers request and limit processor and memory."""
    parts = [container.get("resources") or {} for part in _CONTAINER_LISTS[:2] for container in spec.get(part) or ()]
    if not any(part.get("limits") or part.get("requests") for part in parts):
        return "BestEffort"
    return "Guaranteed" if all(_is_guaranteed(part) for part in parts) else "Burstable"


def _is_guaranteed(resources: Object) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(name in limits and requests.get(name, limits[name]) == limits[name] for name in ("cpu", "memory"))
