"""How a default is filled in."""

from collections.abc import Callable, Iterable
from typing import Any

Object = dict[str, Any]
Default = Callable[[Object], None]


def fill(target: Object, **values: Any) -> None:
    """Sets what is absent, null or empty text; Kubernetes takes the empty text of an optional field for "not given"."""
    for name, value in values.items():
        if target.get(name) in (None, ""):
            target[name] = value


def part(target: Object, name: str) -> Object:
    """The object under a name, made if absent."""
    found = target.get(name)
    if not isinstance(found, dict):
        found = target[name] = {}
    return found


def parts(target: Object, name: str) -> Iterable[Object]:
    """The objects listed under a name."""
    return [item for item in target.get(name) or () if isinstance(item, dict)]
