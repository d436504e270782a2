"""What a request's body says, held against Kubernetes' types: unknown fields found and left out, wrong types refused. Pure.

Messages are those of Go's `encoding/json` and of apimachinery's strict decoding, because clients show them as they are.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from remora.cluster.api.errors import ApiError, bad_request
from remora.cluster.api.fitting import fits
from remora.cluster.api.parsing import Doubled, joined
from remora.cluster.api.schemas import Schema, find_name, resolved, schema_of

Object = dict[str, Any]

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_PATTERN = "([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)"
_INTEGER_BITS = {"int32": 32, "int64": 64}
_GO_TYPES = {"string": "string", "boolean": "bool", "number": "float64"}


class Decoded(NamedTuple):
    """An object without what its type does not know; `problems` says what that was, worded as strict decoding does."""

    object: Object
    problems: tuple[str, ...]


def decode(value: Any, *, api_version: str, kind: str) -> Decoded:
    """An object as its type has it. Missing `apiVersion` and `kind` are filled in, null fields left out, as Go leaves them.

    Raises:
        ApiError: BadRequest; it is no object of this kind and version, or a value has the wrong type.
    """
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {_kind_of(value)} into Go value of type {_go_kind(api_version, kind)}"
        raise _unusable(kind, api_version, kind, why)
    _check_kind(value, api_version, kind)
    name = find_name(api_version, kind)
    if name is not None and fits(name)(value):
        return Decoded({**value, "apiVersion": api_version, "kind": kind}, ())
    walk = _Walk()
    try:
        result = walk.object(value, schema_of(api_version, kind), _Place("", kind, ""))
    except _WrongTypeError as error:
        raise _unusable(kind, api_version, kind, str(error)) from None
    return Decoded({**result, "apiVersion": api_version, "kind": kind}, tuple(walk.problems))


_METADATA = Schema(reference="#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


def decode_metadata(value: Any, *, api_version: str, kind: str) -> Decoded:
    """The metadata of an object whose own type is not one of Kubernetes'.

    Raises:
        ApiError: BadRequest; a value has the wrong type.
    """
    walk = _Walk()
    try:
        result = walk.value(value, _METADATA, _Place("metadata", "ObjectMeta", "metadata"))
    except _WrongTypeError as error:
        raise _unusable(kind, api_version, kind, str(error)) from None
    return Decoded(result, tuple(problem for problem in walk.problems if problem.startswith("unknown")))


def strict_error(problems: Iterable[str], *, api_version: str, kind: str) -> ApiError:
    """For `fieldValidation=Strict`."""
    return _unusable(kind, api_version, kind, f"strict decoding error: {', '.join(problems)}")


def _unusable(given: str, api_version: str, kind: str, why: str) -> ApiError:
    version = api_version.rpartition("/")[2]
    return bad_request(f'{given} in version "{version}" cannot be handled as a {kind}: {why}')


def _check_kind(value: Object, api_version: str, kind: str) -> None:
    given_version, given_kind = value.get("apiVersion") or api_version, value.get("kind") or kind
    if (given_version, given_kind) == (api_version, kind):
        return
    if not isinstance(given_version, str) or not isinstance(given_kind, str):
        raise _unusable(kind, api_version, kind, "apiVersion and kind must be strings")
    version = given_version.rpartition("/")[2]
    if given_kind == kind and (find_name(given_version, kind) or given_version.endswith("/v1beta1")):
        why = f"the API version in the data ({given_version}) does not match the expected API version ({api_version})"
        raise bad_request(why)
    if find_name(given_version, given_kind) is None:
        scheme = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
        why = f'no kind "{given_kind}" is registered for version "{given_version}" in scheme "{scheme}"'
    else:
        group = api_version.partition("/")[0].partition(".")[0] if "/" in api_version else "core"
        why = f"converting ({version}.{given_kind}) to ({group}.{kind}): unknown conversion"
    raise _unusable(given_kind, given_version, kind, why)


class _WrongTypeError(Exception):
    """A value that Go could not put into the field's type."""


class _Place(NamedTuple):
    """Where a value is: `path` with list indexes, and Go's idea of it: the innermost struct and the fields without indexes."""

    path: str
    struct: str
    fields: str

    def below(self, key: str) -> "_Place":
        """A field of a struct."""
        return _Place(joined(self.path, key), self.struct, joined(self.fields, key))

    def at(self, key: str) -> "_Place":
        """A key of a map, which Go does not name."""
        return self._replace(path=joined(self.path, key))

    def item(self, index: int) -> "_Place":
        return self._replace(path=f"{self.path}[{index}]")

    def within(self, struct: str) -> "_Place":
        return self._replace(struct=struct)


class _Walk:
    """One pass over an object; `problems` grows."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def value(self, value: Any, field: Schema, place: _Place) -> Any:
        if field.name in (_INT_OR_STRING, _QUANTITY):
            return _scalar_of_two(value, field.name, place)
        schema = resolved(field)
        match schema.type_name:
            case "object":
                if not isinstance(value, dict):
                    raise _wrong(value, _go_type(field), place)
                struct = field.name.rpartition(".")[2]
                return self.object(value, schema, place.within(struct) if schema.properties else place)
            case "array":
                return self._array(value, field, schema, place)
            case "":
                return value
            case _:
                return _scalar(value, schema, place)

    def object(self, value: Object, schema: Schema, place: _Place) -> Object:
        if isinstance(value, Doubled):
            self.problems += [f'duplicate field "{place.at(key).path}"' for key in value.doubled]
        if schema.properties:
            return self._struct(value, schema, place)
        values = schema.values
        if not isinstance(values, Schema):
            return dict(value)
        empty = "" if values.type_name == "string" else None
        return {key: empty if item is None else self.value(item, values, place.at(key)) for key, item in value.items()}

    def _struct(self, value: Object, schema: Schema, place: _Place) -> Object:
        result = {}
        for key, item in value.items():
            field = schema.properties.get(key)
            if field is None and schema.is_open:
                result[key] = item
            elif field is None:
                self.problems.append(f'unknown field "{place.below(key).path}"')
            elif item is not None:
                result[key] = self.value(item, field, place.below(key))
        return result

    def _array(self, value: Any, field: Schema, schema: Schema, place: _Place) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, _go_type(field), place)
        if schema.items is None:
            return list(value)
        # Where anything may stand, null may: in the enumerations of a definition's schema.
        keeps_null = not resolved(schema.items).type_name
        listed = [(index, item) for index, item in enumerate(value) if item is not None or keeps_null]
        return [self.value(item, schema.items, place.item(index)) for index, item in listed]


def _kind_of(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "null"


def _wrong(value: Any, go_type: str, place: _Place) -> _WrongTypeError:
    kind = _kind_of(value)
    if kind == "number" and go_type.startswith("int"):
        kind = f"number {value}"
    return _WrongTypeError(
        f"json: cannot unmarshal {kind} into Go struct field {place.struct}.{place.fields} of type {go_type}"
    )


def _go_kind(api_version: str, kind: str) -> str:
    return f"{api_version.rpartition('/')[2]}.{kind}"


def _go_type(field: Schema) -> str:
    """The Go type of a field, as Go's messages name it."""
    schema = resolved(field)
    if schema.type_name == "array":
        return f"[]{_go_type(schema.items)}" if schema.items is not None else "[]interface {}"
    if schema.type_name == "object" and isinstance(schema.values, Schema):
        return f"map[string]{_go_type(schema.values)}"
    if field.name:
        return ".".join(field.name.split(".")[-2:])
    if schema.type_name == "integer":
        return schema.format or "int64"
    return _GO_TYPES.get(schema.type_name, "interface {}")


def _scalar(value: Any, schema: Schema, place: _Place) -> Any:
    match schema.type_name:
        case "string":
            is_fitting = isinstance(value, str)
        case "boolean":
            is_fitting = isinstance(value, bool)
        case "integer":
            bound = 2 ** (_INTEGER_BITS.get(schema.format, 64) - 1)
            is_fitting = isinstance(value, int) and not isinstance(value, bool) and -bound <= value < bound
        case _:
            is_fitting = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_fitting:
        raise _wrong(value, _go_type(schema), place)
    if schema.format == "byte":
        _check_base64(value)
    elif schema.format == "date-time" and value:
        _check_time(value)
    return value


def _scalar_of_two(value: Any, name: str, place: _Place) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(value, "int32" if name == _INT_OR_STRING else "resource.Quantity", place)
    if name == _INT_OR_STRING:
        if isinstance(value, float):
            raise _wrong(value, "int32", place)
        return value
    text = str(value)
    if not re.fullmatch(_QUANTITY_PATTERN, text):
        raise _WrongTypeError(f"quantities must match the regular expression '^{_QUANTITY_PATTERN}$'")
    return text


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        strange = re.search(r"[^A-Za-z0-9+/=\r\n]", text)
        position = strange.start() if strange else len(text.rstrip("="))
        raise _WrongTypeError(f"illegal base64 data at input byte {position}") from None


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        layout = "2006-01-02T15:04:05Z07:00"
        raise _WrongTypeError(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"') from None
