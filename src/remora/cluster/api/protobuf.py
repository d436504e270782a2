"""Objects in Kubernetes' protobuf form, which Go's typed clients send; decoded to what the same object is in JSON. Pure.

Answers are never in this form: the clients that send it accept JSON too. Numbers and types of the fields are those of the
`generated.proto` files of k8s.io/api and k8s.io/apimachinery 1.33, in `protobuf_fields.json`. Later fields are passed over.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from remora.cluster.api.errors import Object, bad_request

MAGIC = b"k8s\x00"
"""Before the envelope (apimachinery `runtime/serializer/protobuf`)."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_COMMON = frozenset({"DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_POINTERS = frozenset(
    """activeDeadlineSeconds allocateLoadBalancerNodePorts allowPrivilegeEscalation allowVolumeExpansion
    automountServiceAccountToken averageUtilization backoffLimit blockOwnerDeletion completions controller defaultMode
    enableServiceLinks expirationSeconds failedJobsHistoryLimit fsGroup gracePeriodSeconds hostUsers immutable
    leaseDurationSeconds leaseTransitions manualSelector maxRetries minReplicas mode optional orphanDependents parallelism
    partition priority privileged procMount progressDeadlineSeconds readOnlyRootFilesystem replicas revisionHistoryLimit
    runAsGroup runAsNonRoot runAsUser serving setHostnameAsFQDN shareProcessNamespace started startingDeadlineSeconds
    successfulJobsHistoryLimit suspend terminating terminationGracePeriodSeconds tolerationSeconds ttlSecondsAfterFinished
    ready exitCode restartCount port value revision maxSurge maxUnavailable minAvailable""".split()  # noqa: SIM905 - a list of words reads best as text
)
"""Fields in which 0 and false are not the same as nothing: pointers in Go, or required. All others are always sent."""


class _Field(msgspec.Struct, frozen=True, array_like=True):
    """`type` is a scalar or the name of a message, after `list`, `map` (of text to it) or `inline` (into the parent)."""

    name: str
    type: str


@cache
def _messages() -> Mapping[str, dict[str, _Field]]:
    raw = files("remora.cluster.api").joinpath("protobuf_fields.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, dict[str, _Field]])


def decode_protobuf(body: bytes) -> Object:
    """The object in a body.

    Raises:
        ApiError: BadRequest; it is none, or of a kind that is not served.
    """
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = dict(_entries(body[len(MAGIC) :]))
        type_meta = {number: _text(value) for number, value in _entries(envelope[1])}
        api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
        name = _message_name(api_version, kind)
        return {"apiVersion": api_version, "kind": kind, **_message(envelope.get(2, b""), name)}
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise bad_request(f"the body cannot be decoded as protobuf: {error!r}") from None


def _message_name(api_version: str, kind: str) -> str:
    if kind in _COMMON:
        return f"{_META}.{kind}"
    group, _, version = api_version.rpartition("/")
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{kind}"


def _entries(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers with integers or bytes, as on the wire."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        match key & 7:
            case 0:
                value, position = _varint(data, position)
                yield key >> 3, value
            case 2:
                length, position = _varint(data, position)
                if position + length > len(data):
                    raise ValueError("unexpected EOF")
                yield key >> 3, data[position : position + length]
                position += length
            case 1 | 5 as wire:
                position += 8 if wire == 1 else 4
            case wire:
                raise ValueError(f"wire type {wire}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7


def _message(data: bytes, name: str) -> Object:
    fields = _messages()[name]
    found: Object = {}
    for number, raw in _entries(data):
        field = fields.get(str(number))
        if field is None:
            continue
        shape, _, inner = field.type.rpartition(" ")
        if shape == "list":
            found.setdefault(field.name, []).append(_value(raw, inner))
        elif shape == "map":
            pair = dict(_entries(raw))
            found.setdefault(field.name, {})[_text(pair.get(1, b""))] = _value(pair.get(2, b""), inner)
        elif shape == "inline":
            found |= _message(raw, inner)
        else:
            value = _value(raw, inner)
            if _is_said(field.name, value):
                found[field.name] = value
    return found


def _is_said(name: str, value: Any) -> bool:
    """Whether a value means something; Go sends the fields that are no pointers even when they are empty."""
    if value is None or value == "":
        return False
    if value == 0 and not isinstance(value, dict | list):
        return name in _POINTERS
    return True


def _value(raw: Any, type_: str) -> Any:
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar(raw)
    special = _SPECIAL.get(type_.rpartition(".")[2])
    return _message(raw, type_) if special is None else special(raw)


def _text(raw: bytes) -> str:
    return raw.decode()


def _integer(raw: int) -> int:
    """Two's complement of 64 bits."""
    return raw - (1 << 64) if raw >= 1 << 63 else raw


_SCALARS: Mapping[str, Any] = {
    "string": _text,
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "bool": bool,
    "int": _integer,
}


def _time(raw: bytes) -> str | None:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(raw: bytes) -> str | None:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(raw: bytes) -> datetime | None:
    """A time; None for the zero time, which is sent as an empty message."""
    parts = dict(_entries(raw))
    if not parts:
        return None
    return _EPOCH + timedelta(seconds=_integer(parts.get(1, 0)), microseconds=_integer(parts.get(2, 0)) // 1000)


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_entries(raw))
    return _text(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _embedded(raw: bytes) -> Any:
    """JSON within protobuf."""
    content = dict(_entries(raw)).get(1, b"")
    return msgspec.json.decode(content) if content else None


def _duration(raw: bytes) -> str:
    return f"{_integer(dict(_entries(raw)).get(1, 0)) / 1e9:g}s"


_SPECIAL: Mapping[str, Any] = {
    "Quantity": lambda raw: _text(dict(_entries(raw)).get(1, b"")),
    "Time": _time,
    "MicroTime": _micro_time,
    "IntOrString": _int_or_string,
    "FieldsV1": _embedded,
    "RawExtension": _embedded,
    "Duration": _duration,
    "ExtraValue": lambda raw: [_text(value) for _, value in _entries(raw)],
}
