"""Label and field selectors: parsed from query parameters, matched against objects (apimachinery `labels`, `fields`). Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

Object = dict[str, Any]

_TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|>|<|[^\s=!,()<>]+)")
_COMPARISONS = frozenset({"=", "==", "!=", "in", "notin", ">", "<"})


class SelectorError(ValueError):
    """A selector that cannot be read; the text is Kubernetes'."""


class Requirement(msgspec.Struct, frozen=True):
    """One condition on one key. `operator`: `in`, `notin`, `exists`, `!`, `>` or `<`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, values: Mapping[str, str]) -> bool:
        value = values.get(self.key)
        return _OPERATORS[self.operator](value, self.values)


def _is_more(value: str | None, bound: str) -> bool | None:
    """Whether a value is more than a bound; None where one of them is no integer."""
    try:
        return None if value is None or value == bound else int(value) > int(bound)
    except ValueError:
        return None


_OPERATORS: Mapping[str, Callable[[str | None, tuple[str, ...]], bool]] = {
    "in": lambda value, values: value is not None and value in values,
    "notin": lambda value, values: value is None or value not in values,
    "exists": lambda value, values: value is not None,
    "!": lambda value, values: value is None,
    ">": lambda value, values: _is_more(value, values[0]) is True,
    "<": lambda value, values: _is_more(value, values[0]) is False,
}


class Selector(msgspec.Struct, frozen=True):
    """All requirements must hold; the empty selector matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, values: Mapping[str, str]) -> bool:
        return all(requirement.matches(values) for requirement in self.requirements)

    def matches_labels(self, obj: Object) -> bool:
        return not self.requirements or self.matches(obj["metadata"].get("labels") or {})


def parse_label_selector(text: str) -> Selector:
    """`a=b,c in (d,e),!f` and so on.

    Raises:
        SelectorError: it is no selector.
    """
    tokens = _Tokens(text)
    requirements: list[Requirement] = []
    while tokens.peek():
        requirements.append(_parse_requirement(tokens))
        if tokens.peek() and tokens.take() != ",":
            raise SelectorError(f"unable to parse requirement: found '{tokens.last}', expected: ',' or 'end of string'")
        if tokens.last == "," and not tokens.peek():
            raise SelectorError("unable to parse requirement: found '', expected: identifier after ','")
    return Selector(tuple(requirements))


class _Tokens:
    def __init__(self, text: str) -> None:
        self._tokens = [match.group(1) for match in _TOKEN.finditer(text)]
        self.last = ""

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self) -> str:
        self.last = self._tokens.pop(0) if self._tokens else ""
        return self.last


def _is_identifier(token: str) -> bool:
    return bool(token) and token[0] not in "=!,()<>"


def _parse_requirement(tokens: _Tokens) -> Requirement:
    is_absent = tokens.peek() == "!"
    if is_absent:
        tokens.take()
    key = tokens.take()
    if not _is_identifier(key):
        raise SelectorError(f"unable to parse requirement: found '{key}', expected: identifier")
    if is_absent:
        return Requirement(key, "!")
    if tokens.peek() in ("", ","):
        return Requirement(key, "exists")
    operator = tokens.take()
    if operator not in _COMPARISONS:
        raise SelectorError(f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
    if operator in ("in", "notin"):
        return Requirement(key, operator, _parse_values(tokens))
    return _parse_comparison(tokens, key, operator)


def _parse_comparison(tokens: _Tokens, key: str, operator: str) -> Requirement:
    if tokens.peek() in ("", ","):
        value = ""
    elif _is_identifier(tokens.peek()):
        value = tokens.take()
    else:
        raise SelectorError(f"unable to parse requirement: found '{tokens.peek()}', expected: identifier")
    if operator in (">", "<"):
        return Requirement(key, operator, (value,))
    return Requirement(key, "notin" if operator == "!=" else "in", (value,))


def _parse_values(tokens: _Tokens) -> tuple[str, ...]:
    if tokens.take() != "(":
        raise SelectorError(f"unable to parse requirement: found '{tokens.last}' expected: '('")
    values: list[str] = []
    value = ""
    while (found := tokens.take()) not in (")", ""):
        if found == ",":
            values.append(value)
            value = ""
        elif _is_identifier(found):
            value = found
        else:
            raise SelectorError(f"unable to parse requirement: found '{found}', expected: ',', or identifier")
    if found == "":
        raise SelectorError("unable to parse requirement: found '', expected: ',' or ')'")
    return (*values, value)


def parse_field_selector(text: str) -> Selector:
    """`metadata.name=a,status.phase!=Running`.

    Raises:
        SelectorError: it is no selector.
    """
    return Selector(tuple(_parse_field(part) for part in _split_fields(text) if part))


def _split_fields(text: str) -> Iterator[str]:
    """At commas that no backslash protects."""
    yield from re.split(r"(?<!\\),", text)


def _parse_field(part: str) -> Requirement:
    match = re.match(r"([^=!]*)(!=|==|=)(.*)", part, re.DOTALL)
    if match is None:
        raise SelectorError(f"invalid selector: '{part}'; can't understand '{part}'")
    key, operator, value = match.groups()
    plain = re.sub(r"\\([\\,=])", r"\1", value)
    return Requirement(key, "notin" if operator == "!=" else "in", (plain,))
