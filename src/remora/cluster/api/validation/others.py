"""Checks of the remaining kinds."""

import re
from collections.abc import Iterator

from remora.cluster.api.errors import Cause, forbidden_field, invalid_value, required
from remora.cluster.api.validation.fields import Object

_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_KEY = "[-._a-zA-Z0-9]+"
_KEY_MESSAGE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    f"'key-name', regex used for validation is '{_KEY}')"
)


_LARGEST = 1024 * 1024


def check_config_map(config: Object) -> Iterator[Cause]:
    data, binary = config.get("data") or {}, config.get("binaryData") or {}
    for key in data:
        yield from _check_key(key, f"data[{key}]")
        if key in binary:
            yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from _check_key(key, f"binaryData[{key}]")
    size = sum(len(value.encode()) for value in data.values()) + sum(len(value) * 3 // 4 for value in binary.values())
    if size > _LARGEST:
        yield Cause("[]", "FieldValueTooLong", f"Too long: may not be more than {_LARGEST} bytes")


def _check_key(key: str, field: str) -> Iterator[Cause]:
    if len(key) > 253:
        yield invalid_value(field, key, "must be no more than 253 bytes")
    if not re.fullmatch(_KEY, key):
        yield invalid_value(field, key, _KEY_MESSAGE)
    elif key == ".":
        yield invalid_value(field, key, "must not be '.'")
    elif key == "..":
        yield invalid_value(field, key, "must not be '..'")


def check_secret(secret: Object) -> Iterator[Cause]:
    data = secret.get("data") or {}
    for key in data:
        yield from _check_key(key, f"data[{key}]")
    if sum(len(value) * 3 // 4 for value in data.values()) > _LARGEST:
        yield Cause("data", "FieldValueTooLong", f"Too long: may not be more than {_LARGEST} bytes")
    for key in _REQUIRED_KEYS.get(str(secret.get("type")), ()):
        if key not in data:
            yield required(f"data[{key}]")


def check_immutable(obj: Object, before: Object) -> Iterator[Cause]:
    """ConfigMaps and Secrets with `immutable: true`, and a Secret's type."""
    if obj.get("type") != before.get("type"):
        yield invalid_value("type", obj.get("type"), "field is immutable")
    if before.get("immutable"):
        if not obj.get("immutable"):
            yield forbidden_field("immutable", "field is immutable when `immutable` is set")
        if obj.get("data") != before.get("data"):
            yield forbidden_field("data", "field is immutable when `immutable` is set")
