"""Bodies in protobuf, written here by hand, to what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.errors import ApiError
from remora.cluster.api.protobuf import MAGIC, decode_protobuf


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def message(*fields: tuple[int, int | bytes | str]) -> bytes:
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value % (1 << 64))
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def body(api_version: str, kind: str, *fields: tuple[int, int | bytes | str]) -> bytes:
    type_meta = message((1, api_version), (2, kind))
    return MAGIC + message((1, type_meta), (2, message(*fields)), (3, ""), (4, ""))


def metadata(name: str) -> bytes:
    # Go sends the empty text and the zero time of a new object, too.
    return message((1, name), (2, ""), (3, ""), (7, 0), (8, b""), (11, message((1, "app"), (2, ""))))


def test_object_has_its_kind_and_not_what_is_empty() -> None:
    entry = message((1, "key"), (2, "value"))
    assert decode_protobuf(body("v1", "ConfigMap", (1, metadata("a")), (2, entry))) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"app": ""}},
        "data": {"key": "value"},
    }


def test_zero_counts_where_it_differs_from_nothing() -> None:
    spec = message((1, 0), (5, 0), (7, 0))  # replicas, minReadySeconds, paused
    assert decode_protobuf(body("apps/v1", "Deployment", (2, spec)))["spec"] == {"replicas": 0}


def test_what_go_embeds_lies_in_its_parent() -> None:
    port = message((1, 0), (2, 8080), (3, ""))
    probe = message((1, message((2, message((1, "/ready"), (2, port))))), (2, -1))
    container = message((1, "c"), (11, probe))
    volume = message((1, "scratch"), (2, message((2, message((1, ""))))))
    spec = decode_protobuf(body("v1", "Pod", (2, message((1, volume), (2, container)))))["spec"]
    assert spec["containers"][0]["readinessProbe"] == {"httpGet": {"path": "/ready", "port": 8080}, "initialDelaySeconds": -1}
    assert spec["volumes"] == [{"name": "scratch", "emptyDir": {}}]


def test_bytes_times_and_quantities_read_as_in_json() -> None:
    secret = decode_protobuf(body("v1", "Secret", (2, message((1, "k"), (2, b"\xff")))))
    assert secret["data"] == {"k": "/w=="}
    moment = message((1, 1_700_000_000), (2, 250_000_000))
    lease = decode_protobuf(body("coordination.k8s.io/v1", "Lease", (2, message((4, moment)))))
    assert lease["spec"] == {"renewTime": "2023-11-14T22:13:20.250000Z"}


@given(st.binary(max_size=60))
def test_nothing_but_an_object_is_an_object(data: bytes) -> None:
    for broken in (data, MAGIC + data):
        with pytest.raises(ApiError):
            decode_protobuf(broken)
