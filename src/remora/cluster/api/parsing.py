"""Texts to values: JSON and YAML of clients who may be hostile, in Go's words where one cannot be read. Pure."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
import yaml
from yaml.composer import Composer, ComposerError

from remora.cluster.api.errors import bad_request

Object = dict[str, Any]


class Doubled(dict[str, Any]):
    """A JSON object in which keys occur more than once; the last one counts."""

    doubled: tuple[str, ...] = ()


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)", re.DOTALL)
"""Of half a character nothing can be made that can be kept: Go puts U+FFFD in its place."""


def parse_json(body: bytes, kind: str) -> Any:
    """JSON in which `decode` can later tell what was said twice; `kind` is what is expected.

    Raises:
        ApiError: BadRequest; it is no JSON.
    """
    try:
        text = body.decode()
        if _SURROGATE.search(text):
            text = _ESCAPE.sub(lambda found: "\\ufffd" if _SURROGATE.fullmatch(found[0]) else found[0], text)
        return json.loads(text, object_pairs_hook=_from_pairs, parse_constant=_refuse_constant, parse_float=_parse_float)
    except (ValueError, RecursionError) as error:
        why = _go_parse_error(error) if isinstance(error, json.JSONDecodeError) else str(error)
        shown = body.decode(errors="replace") or "<empty>"
        message = (
            f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why}"
        )
        raise bad_request(f"{message} ({shown[:1000]})") from None


_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_ALIASED = 100_000
"""Values that a text may repeat by naming them: a few lines can otherwise mean more than fits into memory."""


class _YamlLoader(Composer, _SafeLoader):  # type: ignore[misc]
    """YAML as Kubernetes reads it: what looks like a date is text.

    Composed in Python, because the C one overflows the stack of the process where a text is nested deeply.
    """

    def __init__(self, stream: bytes) -> None:
        _SafeLoader.__init__(self, stream)
        Composer.__init__(self)
        self._values = self._aliased = 0
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if self.check_event(yaml.AliasEvent):
            self._note_alias(event.anchor, event.start_mark)
            return super().compose_node(parent, index)
        before = self._values
        self._values += 1
        node = super().compose_node(parent, index)
        if event.anchor is not None:
            self._sizes[event.anchor] = self._values - before
        return node

    def _note_alias(self, anchor: str, mark: Any) -> None:
        if anchor in self.anchors and anchor not in self._sizes:
            raise ComposerError(None, None, f"anchor '{anchor}' value contains itself", mark)
        size = self._sizes.get(anchor, 0)
        self._values += size
        self._aliased += size
        if self._aliased > _MOST_ALIASED:
            raise ComposerError(None, None, "document contains excessive aliasing", mark)


_YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(body: bytes) -> Any:
    """What a YAML text says.

    Raises:
        ApiError: BadRequest; it is not YAML.
    """
    try:
        found = yaml.load(body, Loader=_YamlLoader)  # noqa: S506 - a safe loader with fewer types
        return msgspec.to_builtins(found, str_keys=True)  # with no keys and values but those of JSON
    except RecursionError:
        raise bad_request("error converting YAML to JSON: yaml: exceeded max depth") from None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from None


def parse_yaml(body: bytes, kind: str) -> Any:
    """YAML or JSON; `kind` is what is expected.

    Raises:
        ApiError: BadRequest; it is neither.
    """
    if body.lstrip().startswith(b"{"):
        return parse_json(body, kind)
    return load_yaml(body)


def _from_pairs(pairs: list[tuple[str, Any]]) -> Object:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    doubled = Doubled(plain)
    seen: set[str] = set()
    doubled.doubled = tuple(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return doubled


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


def json_fault(text: bytes) -> str:
    """What Go's parser says of a text that is no JSON; "" if it is."""
    try:
        json.loads(text.decode("latin-1"))
    except json.JSONDecodeError as error:
        return _go_parse_error(error)
    return "unexpected end of JSON input"


_GO_PARSE_ERRORS = (
    ("Expecting property name", "looking for beginning of object key string"),
    ("Expecting value", "looking for beginning of value"),
    ("Extra data", "after top-level value"),
    ("Expecting ':'", "after object key"),
    ("Expecting ','", "after object key:value pair"),
    ("Invalid control character", "in string literal"),
)


def _go_parse_error(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc.rstrip()):
        return "unexpected end of JSON input"
    where = next((text for start, text in _GO_PARSE_ERRORS if error.msg.startswith(start)), "in JSON input")
    return f"invalid character '{error.doc[error.pos]}' {where}"


def doubled_fields(value: Any, path: str = "") -> Iterator[str]:
    """What is said more than once, worded as strict decoding does."""
    if isinstance(value, Doubled):
        yield from (f'duplicate field "{joined(path, key)}"' for key in value.doubled)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from doubled_fields(item, joined(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from doubled_fields(item, f"{path}[{index}]")


def joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
