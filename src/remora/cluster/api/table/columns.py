"""What a column of a Table is, and the cells that many kinds share (kubernetes `pkg/printers/internalversion`). Pure."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

Object = dict[str, Any]
Cell = str | int | bool
MakeCell = Callable[[Object, datetime], Cell]
"""An object and the present moment to what stands in the column."""

NONE = "<none>"
UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


class Column(msgspec.Struct, frozen=True):
    """`priority` 1 is shown with `-o wide` only."""

    name: str
    cell: MakeCell
    priority: int = 0
    type: str = "string"
    format: str = ""
    description: str = ""

    def to_wire(self) -> Object:
        head = {"name": self.name, "type": self.type, "format": self.format}
        return {**head, "description": self.description, "priority": self.priority}


def wide(name: str, cell: MakeCell) -> Column:
    return Column(name, cell, priority=1)


def at(obj: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value at a dotted path; the default where it is missing or null."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            return default
    return value


def field(path: str, default: Any = "") -> MakeCell:
    return lambda obj, now: at(obj, path, default) or default


def count(path: str) -> MakeCell:
    """How many entries there are."""
    return lambda obj, now: len(at(obj, path, ()))


def human_duration(seconds: float) -> str:
    """As kubectl writes ages (apimachinery `duration.HumanDuration`)."""
    whole = int(seconds)
    if whole < 2 * _MINUTE:
        return "<invalid>" if whole < -1 else f"{max(whole, 0)}s"
    scales = (
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (48 * _HOUR, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    )
    for bound, unit, letter, fine_unit, fine_letter in scales:
        if whole < bound:
            rest = whole % unit // fine_unit if fine_unit else 0
            return f"{whole // unit}{letter}" + (f"{rest}{fine_letter}" if rest else "")
    return f"{whole // _YEAR}y"


def since(text: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 time was."""
    if not text:
        return UNKNOWN
    return human_duration((now - datetime.fromisoformat(text)).total_seconds())


def name(obj: Object, now: datetime) -> str:
    return str(obj["metadata"].get("name", ""))


def age(obj: Object, now: datetime) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def created_at(obj: Object, now: datetime) -> str:
    return str(obj["metadata"].get("creationTimestamp") or UNKNOWN)


def joined(values: Iterable[str]) -> str:
    return ",".join(values)


def render_labels(labels: Mapping[str, str] | None) -> str:
    return joined(f"{key}={labels[key]}" for key in sorted(labels)) if labels else NONE


def render_selector(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector as one line (`metav1.FormatLabelSelector`)."""
    if not selector:
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or ():
        operator, values = rule["operator"], joined(sorted(rule.get("values") or ()))
        key = rule["key"]
        parts.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(operator) or f"{key} {operator.lower()} ({values})")
    return joined(parts) or NONE


def load_balancer(obj: Object) -> list[str]:
    """The addresses of `status.loadBalancer`, sorted."""
    entries = at(obj, "status.loadBalancer.ingress", ())
    return sorted({entry.get("ip") or entry.get("hostname") or "" for entry in entries} - {""})


NAME = Column("Name", name, format="name")
AGE = Column("Age", age)
GENERIC = (NAME, Column("Created At", created_at, type="date"))
NAME_AND_AGE = (NAME, AGE)


def containers(path: str) -> tuple[Column, Column]:
    """Names and images of a pod template's containers, both wide."""

    def listed(key: str) -> MakeCell:
        return lambda obj, now: joined(container.get(key, "") for container in at(obj, path, ()))

    return wide("Containers", listed("name")), wide("Images", listed("image"))
