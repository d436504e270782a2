"""What the checks share."""

from collections.abc import Callable, Iterator
from typing import Any

from remora.cluster.api.errors import Cause, invalid_value

Object = dict[str, Any]
Check = Callable[[Object], Iterator[Cause]]
CheckUpdate = Callable[[Object, Object], Iterator[Cause]]


def check_port(value: Any, field: str) -> Iterator[Cause]:
    """A port's number."""
    if not isinstance(value, int) or not 0 < value < 65536:
        yield invalid_value(field, value, "must be between 1 and 65535, inclusive")


def check_not_negative(value: Any, field: str) -> Iterator[Cause]:
    if isinstance(value, int) and value < 0:
        yield invalid_value(field, value, "must be greater than or equal to 0")


def listed(parent: Object, name: str) -> list[tuple[int, Object]]:
    """The objects of a list with their positions."""
    return [(index, item) for index, item in enumerate(parent.get(name) or ()) if isinstance(item, dict)]
