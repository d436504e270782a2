"""The targets of HorizontalPodAutoscalers, as `kubectl get hpa` shows them (`formatHPAMetrics`). Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.table.columns import NONE, UNKNOWN, Object, at

_MOST = 2
_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}


def targets(obj: Object, now: datetime) -> str:
    """What each metric is and what it should be; of more than two the number of the rest."""
    wanted: Sequence[Object] = at(obj, "spec.metrics", ())
    if not wanted:
        return NONE
    found: Sequence[Object] = at(obj, "status.currentMetrics", ())
    pairs = [(metric, found[index] if index < len(found) else {}) for index, metric in enumerate(wanted)]
    shown = ", ".join(_target(metric, status) for metric, status in pairs[:_MOST])
    return f"{shown} + {len(pairs) - _MOST} more..." if len(pairs) > _MOST else shown


def _target(metric: Object, status: Mapping[str, Any]) -> str:
    source = _SOURCES.get(metric.get("type", ""))
    if source is None:
        return "<unknown type>"
    wanted = metric.get(source) or {}
    target, current = wanted.get("target") or {}, (status.get(source) or {}).get("current") or {}
    if source in ("resource", "containerResource"):
        return f"{wanted.get('name', '')}: {_of_resource(target, current)}"
    if "averageValue" in target:
        average = "" if source == "pods" else " (avg)"
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']}{average}"
    return f"{current.get('value', UNKNOWN)}/{target.get('value', UNKNOWN)}"


def _of_resource(target: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    if "averageValue" in target:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
    return f"{_percent(current, UNKNOWN)}/{_percent(target, '<auto>')}"


def _percent(value: Mapping[str, Any], otherwise: str) -> str:
    return f"{value['averageUtilization']}%" if value.get("averageUtilization") is not None else otherwise
