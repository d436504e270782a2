"""What the checks share."""

from collections.abc import Callable, Iterator
from typing import Any

from remora.cluster.api.errors import Cause, forbidden_field, invalid_value, required
from remora.cluster.api.names import check_labels, wrong_with_qualified_name

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


def check_selector(selector: Any, field: str) -> Iterator[Cause]:
    """A LabelSelector (apimachinery `ValidateLabelSelector`)."""
    if not isinstance(selector, dict):
        return
    yield from check_labels(selector.get("matchLabels") or {}, f"{field}.matchLabels")
    for index, rule in listed(selector, "matchExpressions"):
        yield from _check_requirement(rule, f"{field}.matchExpressions[{index}]")


def _check_requirement(rule: Object, field: str) -> Iterator[Cause]:
    operator, values = rule.get("operator", ""), rule.get("values")
    if operator in ("In", "NotIn"):
        if not values:
            yield required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            yield forbidden_field(f"{field}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    else:
        yield invalid_value(f"{field}.operator", operator, "not a valid selector operator")
    key = rule.get("key", "")
    yield from (invalid_value(f"{field}.key", key, wrong) for wrong in wrong_with_qualified_name(key))
