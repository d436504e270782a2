"""What operators do to values, and how members are found. Pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import fmod
from typing import Any

from remora.cluster.cel.values import NONE, CelError, Optional, check_size, compare, equal, some

_LARGEST = 2**63


def member(value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise CelError("no such overload")
    if key not in value:
        raise CelError(f"no such key: {key}")
    return value[key]


def optional_member(value: Optional, key: Any) -> Optional:
    if not value.has_value:
        return NONE
    inner = value.value
    if isinstance(inner, dict):
        return some(inner[key]) if key in inner else NONE
    if isinstance(inner, list) and isinstance(key, int):
        return some(inner[key]) if 0 <= key < len(inner) else NONE
    raise CelError("no such overload")


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload")
    return value


def _contains(item: Any, container: Any) -> bool:
    if isinstance(container, dict):
        return item in container
    if isinstance(container, list):
        return any(equal(item, found) for found in container)
    raise CelError("no such overload")


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": lambda left, right: compare(left, right) < 0,
    "<=": lambda left, right: compare(left, right) <= 0,
    ">": lambda left, right: compare(left, right) > 0,
    ">=": lambda left, right: compare(left, right) >= 0,
    "in": _contains,
}


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    if operator == "-" and left == 0 and isinstance(right, timedelta):
        return -right
    if operator == "+" and type(left) is type(right) and isinstance(left, str | bytes | list):
        check_size(len(left) + len(right))
        return left + right
    if isinstance(left, datetime | timedelta) and isinstance(right, datetime | timedelta) and operator in "+-":
        try:
            return left + right if operator == "+" else left - right  # type: ignore[operator]
        except (TypeError, OverflowError):
            raise CelError("no such overload") from None
    if not _is_number(left) or not _is_number(right):
        raise CelError("no such overload")
    return _calculated(operator, left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _calculated(operator: str, left: Any, right: Any) -> Any:
    if operator in "/%":
        if right == 0 and isinstance(right, int) and isinstance(left, int):
            raise CelError("division by zero" if operator == "/" else "modulus by zero")
        if right == 0:
            return float("nan") if left == 0 else float("inf") * (1 if left > 0 else -1)
        if operator == "%":
            return int(fmod(left, right)) if abs(left) < 2**53 else left - right * int(left / right)
        if isinstance(left, float) or isinstance(right, float):
            return left / right
        return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    result = left + right if operator == "+" else left - right if operator == "-" else left * right
    if isinstance(result, int) and not -_LARGEST <= result < _LARGEST:
        raise CelError("integer overflow")
    return result
