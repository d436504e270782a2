"""Subresources that are no parts of their object: webhooks may refuse them, and change nothing about them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from remora.cluster.api.admission.reviewing import Reviewer, change_of
from remora.cluster.api.resources import Resource

Object = dict[str, Any]

_CREATED = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_CONNECTED = {
    "attach": ("", "v1", "PodAttachOptions"),
    "exec": ("", "v1", "PodExecOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
    "proxy": ("", "v1", "PodProxyOptions"),
}
_FLAGS = ("stdin", "stdout", "stderr", "tty")


async def review_subresource(
    reviewer: Reviewer, row: Resource, place: Object, subresource: str, *, query: list[tuple[str, str]], body: bytes
) -> None:
    """Asks about `pods/exec` and its like; `place` is name and namespace of the object that it belongs to.

    Raises:
        ApiError: a webhook refuses.
    """
    if (subresource not in _CREATED and subresource not in _CONNECTED) or not reviewer.concern(row):
        return
    kind = _CREATED.get(subresource) or _CONNECTED[subresource]
    is_created = subresource in _CREATED
    given = _object(body) if is_created else _options(query)
    api_version = f"{kind[0]}/{kind[1]}" if kind[0] else kind[1]
    obj = {"kind": kind[2], "apiVersion": api_version, **given}
    change = change_of("CREATE" if is_created else "CONNECT", row, place, subresource=subresource, object=obj)
    await reviewer.validate(msgspec.structs.replace(change, kind=kind))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        given = msgspec.json.decode(body) if body else {}
    except msgspec.DecodeError:
        return {}
    return given if isinstance(given, dict) else {}


def _options(query: list[tuple[str, str]]) -> Mapping[str, Any]:
    options: Object = {}
    for key, value in query:
        if key in _FLAGS:
            options[key] = value in ("true", "1")
        elif key in ("command", "ports"):
            options.setdefault(key, []).append(value)
        else:
            options[key] = value
    return options
