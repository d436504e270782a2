"""The JSON paths of printer columns and subresources: fields, indexes, `[*]` and filters on equality. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\*\s])+)
    |\[\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)")\s*\]
    |\[\s*(?P<index>-?\d+)\s*\]
    |(?P<every>\[\s*\*\s*\]|\.\*)
    |\[\?\(\s*@\.(?P<left>[^=!\s]+)\s*(?P<operator>==|!=)\s*(?:'(?P<text>[^']*)'|"(?P<quoted>[^"]*)"|(?P<bare>[^)\s]+))\s*\)\]""",
    re.VERBOSE,
)
_BARE = {"true": True, "false": False, "null": None}


class _Step(NamedTuple):
    """One of: a field's name, an index, a filter (path, operator, value), or with none of them every element."""

    field: str | None = None
    position: int | None = None
    condition: tuple[str, str, Any] | None = None


@lru_cache(1024)
def parse_path(text: str) -> tuple[_Step, ...]:
    """The steps of a path such as `.status.conditions[?(@.type=="Ready")].status`.

    Raises:
        ValueError: it is none, or uses more than is known here.
    """
    steps, position = [], 0
    text = text.strip()
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise ValueError(f"unrecognized character in action: {text[position:]!r}")
        steps.append(_step(found))
        position = found.end()
    return tuple(steps)


def _step(found: re.Match[str]) -> _Step:
    name = found["field"] if found["field"] is not None else found["single"]
    name = name if name is not None else found["double"]
    if name is not None:
        return _Step(field=re.sub(r"\\(.)", r"\1", name))
    if found["index"] is not None:
        return _Step(position=int(found["index"]))
    if found["every"]:
        return _Step()
    text = found["text"] if found["text"] is not None else found["quoted"]
    if text is not None:
        return _Step(condition=(found["left"], found["operator"], text))
    bare = found["bare"]
    value: Any = _BARE.get(bare, bare)
    return _Step(condition=(found["left"], found["operator"], int(bare) if re.fullmatch(r"-?\d+", bare) else value))


def find_all(obj: Any, path: str) -> list[Any]:
    """Everything that stands at a path; nothing where there is no such place, or the text is no path."""
    try:
        steps = parse_path(path)
    except ValueError:
        return []
    found = [obj]
    for step in steps:
        found = [below for value in found for below in _below(value, step)]
    return found


def _below(value: Any, step: _Step) -> Iterable[Any]:
    if step.field is not None:
        return (value[step.field],) if isinstance(value, dict) and step.field in value else ()
    if step.position is not None:
        return value[step.position :][:1] if isinstance(value, list) else ()
    items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    if step.condition is None:
        return items
    left, operator, wanted = step.condition
    return [item for item in items if (find_all(item, f".{left}") == [wanted]) == (operator == "==")]


def is_simple(path: str) -> bool:
    """Whether a path names one field and nothing in a list."""
    try:
        steps = parse_path(path)
    except ValueError:
        return False
    return bool(steps) and all(step.field is not None for step in steps)


def with_value(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with a value at a simple path."""
    return _with(obj, [str(step.field) for step in parse_path(path)], value)


def _with(obj: Any, names: list[str], value: Any) -> dict[str, Any]:
    whole = obj if isinstance(obj, dict) else {}
    below = value if len(names) == 1 else _with(whole.get(names[0]), names[1:], value)
    return {**whole, names[0]: below}
