"""Whether an object is just as its type wants it, so that decoding has nothing to say and nothing to change. Pure.

Nearly all objects are. `decoding` walks through the others and finds the words for what is wrong with them; a check for each
type, made once, costs a tenth of that walk. A property test holds both to agree.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from remora.cluster.api.schemas import Schema, schemas

Fits = Callable[[Any], bool]

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_is_quantity = re.compile("([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)").fullmatch
_INTEGER_BITS = {"int32": 32, "int64": 64}


@cache
def fits(name: str) -> Fits:
    """The check for the type of that full name; what it refuses may still be right."""
    if name == _QUANTITY:
        return lambda value: type(value) is str and _is_quantity(value) is not None
    if name == _INT_OR_STRING:
        return lambda value: type(value) is int or type(value) is str
    return _check(schemas()[name])


def _check(schema: Schema) -> Fits:
    if schema.reference:
        return _referred(schema.name)
    match schema.type_name:
        case "object":
            return _fits_object(schema)
        case "array":
            return _fits_array(schema)
        case "":
            return lambda value: value is not None
        case _:
            return _fits_scalar(schema)


def _referred(name: str) -> Fits:
    """Looked up at the first use, because types refer to themselves."""
    return lambda value: fits(name)(value)


def _fits_object(schema: Schema) -> Fits:
    if schema.properties:
        return _fits_struct(schema)
    if not isinstance(schema.values, Schema):
        return _is_plain
    check = _check(schema.values)
    return lambda value: type(value) is dict and all(map(check, value.values()))


def _is_plain(value: Any) -> bool:
    return type(value) is dict


def _fits_struct(schema: Schema) -> Fits:
    checks = {name: _check(field) for name, field in schema.properties.items()}
    find, is_open = checks.get, schema.is_open

    def check_struct(value: Any) -> bool:
        # An object in which a key was said twice is of a type of its own.
        if type(value) is not dict:
            return False
        for key, part in value.items():
            check = find(key)
            if check is None:
                if not is_open:
                    return False
            elif not check(part):
                return False
        return True

    return check_struct


def _fits_array(schema: Schema) -> Fits:
    if schema.items is None:
        return lambda value: type(value) is list
    check = _check(schema.items)
    return lambda value: type(value) is list and all(map(check, value))


def _fits_scalar(schema: Schema) -> Fits:
    if schema.format == "byte":
        return _is_base64
    if schema.format == "date-time":
        return _is_time
    if schema.type_name == "string":
        return lambda value: type(value) is str
    if schema.type_name == "boolean":
        return lambda value: type(value) is bool
    if schema.type_name == "integer":
        bound = 2 ** (_INTEGER_BITS.get(schema.format, 64) - 1)
        return lambda value: type(value) is int and -bound <= value < bound
    return lambda value: type(value) is int or type(value) is float


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return False
    return type(value) is str


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
