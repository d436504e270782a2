"""`x-kubernetes-validations`: rules in CEL, asked of every value that they stand beside. Pure.

A rule that cannot be read here was warned about when its definition was made, and is passed over.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from remora.cluster.api.custom.checks import MISSING, ROOT, finding_before
from remora.cluster.api.custom.schema import Node, Rule
from remora.cluster.api.errors import Cause, render_value
from remora.cluster.cel import CelError, Program, compile_expression
from remora.cluster.cel.values import NONE, parse_duration, parse_timestamp, some

_VARIABLES = ("self", "oldSelf")
_REASON_TITLES = {
    "FieldValueInvalid": "Invalid value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def find_rule_fault(rule: Rule) -> str:
    """Why a rule cannot be asked; "" if it can."""
    try:
        for text in (rule.rule, rule.message_expression):
            if text.strip():
                compile_expression(text, _VARIABLES)
    except CelError as error:
        return str(error)
    return ""


@lru_cache(4096)
def has_rules(node: Node) -> bool:
    """Whether there is a rule anywhere in a schema."""
    return bool(node.rules) or any(has_rules(part) for part in node.parts)


def check_rules(node: Node, value: Any, path: str = "", before: Any = MISSING) -> Iterator[Cause]:
    """What the rules at a value and below it refuse; without `before` rules about changes are not asked."""
    if value is None or not has_rules(node):
        return
    if node.rules:
        yield from _check_here(node, value, path, before)
    if isinstance(value, dict):
        for name, item in value.items():
            part = node.field(name)
            if part is not None:
                old = before.get(name, MISSING) if isinstance(before, dict) else MISSING
                yield from check_rules(part, item, f"{path}.{name}" if path else name, old)
    elif isinstance(value, list) and node.items is not None:
        find_before = finding_before(node, before if node.list_type == "map" else MISSING)
        for index, item in enumerate(value):
            yield from check_rules(node.items, item, f"{path}[{index}]", find_before(item))


def _check_here(node: Node, value: Any, path: str, before: Any) -> Iterator[Cause]:
    converted = to_cel(node, _seen(value, path))
    old = to_cel(node, _seen(before, path)) if before is not MISSING and before is not None else MISSING
    for rule in node.rules:
        program = _find_program(rule.rule)
        if program is None:
            continue
        is_about_change = "oldSelf" in rule.rule
        if is_about_change and old is MISSING and not rule.optional_old_self:
            continue
        if not is_about_change and before is not MISSING and before == value:
            continue
        variables = {"self": converted, "oldSelf": _old_self(rule, old)}
        yield from _asked(rule, program, variables, value, path)


def _old_self(rule: Rule, old: Any) -> Any:
    if not rule.optional_old_self:
        return old
    return NONE if old is MISSING else some(old)


def _asked(rule: Rule, program: Program, variables: dict[str, Any], value: Any, path: str) -> Iterator[Cause]:
    try:
        holds = program(variables)
    except CelError as error:
        yield _fault(rule, value, path, f"{error} evaluating rule: {_default_message(rule)}")
        return
    except RecursionError:
        yield _fault(rule, value, path, f"expression recursion limit exceeded evaluating rule: {_default_message(rule)}")
        return
    if holds is not True:
        yield _fault(rule, value, path, _message(rule, variables))


def _message(rule: Rule, variables: dict[str, Any]) -> str:
    program = _find_program(rule.message_expression) if rule.message_expression.strip() else None
    if program is not None:
        try:
            message = program(variables)
        except CelError:
            message = None
        if isinstance(message, str) and message.strip() and "\n" not in message:
            return message.strip()
    return _default_message(rule)


def _default_message(rule: Rule) -> str:
    return rule.message.strip() or f"failed rule: {rule.rule.strip()}"


def _fault(rule: Rule, value: Any, path: str, message: str) -> Cause:
    # Objects and lists are not shown: they may be long (`field.OmitValueType`).
    title = _REASON_TITLES.get(rule.reason, "Invalid value")
    has_value = not isinstance(value, dict | list) and rule.reason in ("FieldValueInvalid", "FieldValueDuplicate")
    shown = f"{title}: {render_value(value)}" if has_value else title
    return Cause(f"{path}{rule.field_path}".lstrip(".") or ROOT, rule.reason, f"{shown}: {message}")


@lru_cache(1024)
def _find_program(text: str) -> Program | None:
    try:
        return compile_expression(text, _VARIABLES)
    except CelError:
        return None


def _seen(value: Any, path: str) -> Any:
    """Of an object's metadata rules see only its name."""
    if path or not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return value
    metadata = {name: value["metadata"][name] for name in ("name", "generateName") if name in value["metadata"]}
    return {**value, "metadata": metadata}


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "date-time": parse_timestamp,
    "date": parse_timestamp,
    "duration": parse_duration,
    "byte": _bytes,
}


def to_cel(node: Node, value: Any) -> Any:
    """A value with the types that its schema gives it in CEL: times, durations, bytes and doubles."""
    if not _is_converted(node):
        return value
    if isinstance(value, str):
        return _text_to_cel(node, value)
    if isinstance(value, int) and node.type == "number" and not isinstance(value, bool):
        return float(value)
    if isinstance(value, dict):
        parts = ((name, item, node.field(name)) for name, item in value.items())
        return {name: item if part is None else to_cel(part, item) for name, item, part in parts}
    if isinstance(value, list) and node.items is not None:
        return [to_cel(node.items, item) for item in value]
    return value


def _text_to_cel(node: Node, value: str) -> Any:
    try:
        return _CONVERSIONS[node.format](value) if node.format in _CONVERSIONS else value
    except (CelError, binascii.Error, ValueError):
        return value


@lru_cache(4096)
def _is_converted(node: Node) -> bool:
    is_own = node.format in _CONVERSIONS or node.type == "number"
    return is_own or any(_is_converted(part) for part in node.parts)
