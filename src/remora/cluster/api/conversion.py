"""Objects of served versions to the version they are stored in, and back (Kubernetes' conversion functions). Pure.

Both ways are total: what has not the shape of its version is left where it stands, for the checks to refuse.
Where the stored version can say more than another, the rest travels in annotations, so nothing is lost by an update in between.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from remora.cluster.api.custom.shaping import defaulted, pruned
from remora.cluster.api.resources import Resource

Object = dict[str, Any]

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"

_EVENT_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""Fields of a core/v1 Event, and their names in events.k8s.io/v1."""


def to_stored(row: Resource, obj: Object) -> Object:
    """An object of the row's version in the stored one; `apiVersion` is left to the registry."""
    if row.custom is not None:
        return obj if row.is_stored else defaulted(obj, row.custom.node)  # the stored version's are the registry's business
    convert = _TO_STORED.get((row.api_version, row.kind))
    return obj if convert is None else convert(obj)


def from_stored(row: Resource, obj: Object) -> Object:
    """A stored object in the row's version."""
    if row.custom is not None:
        known = pruned(obj, row.custom.node, "", lambda path: None, is_object=True)
        return {**defaulted(known, row.custom.node), "apiVersion": row.api_version}
    convert = _FROM_STORED.get((row.api_version, row.kind))
    converted = obj if convert is None else convert(obj)
    return converted if converted.get("apiVersion") == row.api_version else {**converted, "apiVersion": row.api_version}


def _ingress_to_stored(ingress: Object) -> Object:
    if not isinstance(ingress.get("spec"), dict):
        return ingress
    spec = dict(ingress["spec"])
    if "backend" in spec:
        spec["defaultBackend"] = _backend_to_stored(spec.pop("backend"))
    return {**ingress, "spec": _with_paths(spec, _path_to_stored)}


def _ingress_from_stored(ingress: Object) -> Object:
    if not isinstance(ingress.get("spec"), dict):
        return ingress
    spec = dict(ingress["spec"])
    if "defaultBackend" in spec:
        spec["backend"] = _backend_from_stored(spec.pop("defaultBackend"))
    return {**ingress, "spec": _with_paths(spec, _path_from_stored)}


def _with_paths(spec: Object, convert: Callable[[Object], Object]) -> Object:
    if not isinstance(spec.get("rules"), list):
        return spec
    return {**spec, "rules": [_rule(rule, convert) for rule in spec["rules"]]}


def _rule(rule: Any, convert: Callable[[Object], Object]) -> Any:
    http = rule.get("http") if isinstance(rule, dict) else None
    if not isinstance(http, dict) or not isinstance(http.get("paths"), list):
        return rule
    paths = [convert(path) if isinstance(path, dict) else path for path in http["paths"]]
    return {**rule, "http": {**http, "paths": paths}}


def _path_to_stored(path: Object) -> Object:
    # The older versions default the path type, networking.k8s.io/v1 requires it.
    converted = {"pathType": "ImplementationSpecific", **{key: value for key, value in path.items() if value is not None}}
    return converted | {"backend": _backend_to_stored(path["backend"])} if "backend" in path else converted


def _path_from_stored(path: Object) -> Object:
    return path | {"backend": _backend_from_stored(path["backend"])} if "backend" in path else path


def _backend_to_stored(backend: Any) -> Any:
    if not isinstance(backend, dict) or not {"serviceName", "servicePort"} & set(backend):
        return backend
    rest = {key: value for key, value in backend.items() if key not in ("serviceName", "servicePort")}
    port = backend.get("servicePort")
    service: Object = {"name": backend.get("serviceName", "")}
    if port not in (None, "", 0):
        service["port"] = {"name": port} if isinstance(port, str) else {"number": port}
    return {**rest, "service": service}


def _backend_from_stored(backend: Any) -> Any:
    service = backend.get("service") if isinstance(backend, dict) else None
    if not isinstance(service, dict):
        return backend
    rest = {key: value for key, value in backend.items() if key != "service"}
    port = service.get("port") or {}
    number = port.get("name") or port.get("number")
    return {**rest, "serviceName": service.get("name", ""), **({} if number is None else {"servicePort": number})}


def _renamed(obj: Object, names: Mapping[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}


def _event_from_stored(event: Object) -> Object:
    return _renamed(event, _EVENT_NAMES)


def _event_to_stored(event: Object) -> Object:
    return _renamed(event, {new: old for old, new in _EVENT_NAMES.items()})


def _autoscaler_to_stored(autoscaler: Object) -> Object:
    """autoscaling/v1 knows one metric, the CPU; the others come back from the annotations."""
    annotations = dict(autoscaler["metadata"].get("annotations") or {})
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    metrics = _read(annotations.pop(_METRICS, ""), [])
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        metrics = [_cpu("target", {"type": "Utilization", "averageUtilization": target}), *metrics]
    if metrics:
        spec["metrics"] = metrics
    _restore(annotations, _BEHAVIOR, spec, "behavior")
    current = status.pop("currentCPUUtilizationPercentage", None)
    currents = _read(annotations.pop(_CURRENT_METRICS, ""), [])
    if current is not None:
        currents = [_cpu("current", {"averageUtilization": current}), *currents]
    if currents:
        status["currentMetrics"] = currents
    _restore(annotations, _CONDITIONS, status, "conditions")
    return _assembled(autoscaler, annotations, spec, status)


def _autoscaler_from_stored(autoscaler: Object) -> Object:
    annotations = dict(autoscaler["metadata"].get("annotations") or {})
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    target, others = _split_cpu(spec.pop("metrics", None), "target", {"type", "averageUtilization"})
    if target is not None:
        spec["targetCPUUtilizationPercentage"] = target
    _keep(annotations, _METRICS, others)
    _keep(annotations, _BEHAVIOR, spec.pop("behavior", None))
    current, others = _split_cpu(status.pop("currentMetrics", None), "current", {"averageUtilization"})
    if current is not None:
        status["currentCPUUtilizationPercentage"] = current
    _keep(annotations, _CURRENT_METRICS, others)
    _keep(annotations, _CONDITIONS, status.pop("conditions", None))
    return _assembled(autoscaler, annotations, spec, status)


def _assembled(autoscaler: Object, annotations: Object, spec: Object, status: Object) -> Object:
    metadata = {key: value for key, value in autoscaler["metadata"].items() if key != "annotations"}
    if annotations:
        metadata["annotations"] = annotations
    converted = {**autoscaler, "metadata": metadata}
    for key, value in (("spec", spec), ("status", status)):
        if value or key in autoscaler:
            converted[key] = value
    return converted


def _cpu(side: str, value: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", side: value}}


def _split_cpu(metrics: Any, side: str, parts: set[str]) -> tuple[int | None, list[Any]]:
    """The CPU's utilization, if the first metric is that and no more, and the rest."""
    if not metrics:
        return None, []
    value = (metrics[0].get("resource") or {}).get(side) or {}
    if metrics[0] == _cpu(side, value) and set(value) == parts and value.get("type", "Utilization") == "Utilization":
        return value["averageUtilization"], metrics[1:]
    return None, metrics


def _keep(annotations: Object, name: str, value: Any) -> None:
    if value:
        annotations[name] = msgspec.json.encode(value).decode()


def _restore(annotations: Object, name: str, target: Object, key: str) -> None:
    value = _read(annotations.pop(name, ""), None)
    if value:
        target[key] = value


def _read(text: str, default: Any) -> Any:
    """JSON from an annotation; one that a person broke counts as absent."""
    try:
        return msgspec.json.decode(text) if text else default
    except msgspec.DecodeError:
        return default


_INGRESS_VERSIONS = ("extensions/v1beta1", "networking.k8s.io/v1beta1")

_TO_STORED: dict[tuple[str, str], Callable[[Object], Object]] = {
    **{(version, "Ingress"): _ingress_to_stored for version in _INGRESS_VERSIONS},
    ("events.k8s.io/v1", "Event"): _event_to_stored,
    ("autoscaling/v1", "HorizontalPodAutoscaler"): _autoscaler_to_stored,
}

_FROM_STORED: dict[tuple[str, str], Callable[[Object], Object]] = {
    **{(version, "Ingress"): _ingress_from_stored for version in _INGRESS_VERSIONS},
    ("events.k8s.io/v1", "Event"): _event_from_stored,
    ("autoscaling/v1", "HorizontalPodAutoscaler"): _autoscaler_from_stored,
}
