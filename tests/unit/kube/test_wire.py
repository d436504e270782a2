import json
from typing import Any

import pytest

from remora.core.names import NamespacedName
from remora.kube.objects import Ingress, KubernetesObject
from remora.kube.wire import AT_ONCE, Decoder, Unreadable, parse_status


def _raw(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "uid": "u", "resourceVersion": "7"}, **fields}


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def test_an_object_that_does_not_decode_costs_only_itself() -> None:
    page = Decoder(Ingress).page(
        _bytes(
            {"metadata": {"resourceVersion": "9", "continue": "x"}, "items": [_raw("good"), _raw("bad", spec={"rules": "no"})]}
        )
    )
    assert (page.resource_version, page.continuation) == ("9", "x")
    assert [obj.metadata.name for obj in page.objects] == ["good"]
    (bad,) = page.unreadable
    assert bad.name == NamespacedName("shop", "bad")
    assert (bad.problem.field, bad.problem.code, bad.problem.object.uid) == ("spec.rules", "Unreadable", "u")


@pytest.mark.parametrize("metadata", [{"name": 7}, {"name": "bad", "resourceVersion": 7}, [], None])
def test_even_unusable_metadata_costs_only_its_object(metadata: object) -> None:
    page = Decoder(Ingress).page(
        _bytes({"metadata": {"resourceVersion": "9"}, "items": [{"metadata": metadata}, _raw("good")]})
    )
    assert [obj.metadata.name for obj in page.objects] == ["good"]
    assert len(page.unreadable) == 1
    event = Decoder(Ingress).event(_bytes({"type": "ADDED", "object": {"metadata": metadata}}))
    assert isinstance(event.object, Unreadable)


def test_a_list_without_items_is_empty() -> None:
    assert Decoder(Ingress).page(_bytes({"metadata": {"resourceVersion": "1"}, "items": None})).objects == ()


def test_a_list_is_read_in_parts_of_a_bounded_size_that_are_the_whole_together() -> None:
    long = "x" * (AT_ONCE // 3)
    names = [f"app-{number}" for number in range(5)]
    items = [_raw(name, spec={"ingressClassName": long}) for name in names[:-1]] + [_raw(names[-1], spec={"rules": "no"})]
    body = _bytes({"metadata": {"resourceVersion": "9", "continue": "x"}, "items": items})
    parts = list(Decoder(Ingress).parts(body))
    assert [len(part.objects) + len(part.unreadable) for part in parts] == [2, 3]
    assert {(part.resource_version, part.continuation) for part in parts} == {("9", "x")}
    page = Decoder(Ingress).page(body)
    assert page.objects == tuple(obj for part in parts for obj in part.objects)
    assert [obj.metadata.name for obj in page.objects] == names[:-1]
    assert [one.name.name for one in page.unreadable] == names[-1:]


def test_an_object_larger_than_a_part_is_a_part() -> None:
    items = [_raw("small"), _raw("large", spec={"ingressClassName": "x" * 2 * AT_ONCE}), _raw("last")]
    body = _bytes({"metadata": {"resourceVersion": "9"}, "items": items})
    parts = Decoder(Ingress).parts(body)
    assert [[obj.metadata.name for obj in part.objects] for part in parts] == [["small"], ["large"], ["last"]]


def test_a_watch_line_carries_the_object_and_where_the_watch_stands() -> None:
    event = Decoder(Ingress).event(_bytes({"type": "ADDED", "object": _raw("web")}))
    assert isinstance(event.object, KubernetesObject)
    assert (event.type, event.resource_version, event.object.metadata.name) == ("ADDED", "7", "web")


def test_a_bookmark_is_only_a_place() -> None:
    event = Decoder(Ingress).event(_bytes({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12"}}}))
    assert (event.object, event.resource_version) == (None, "12")


def test_an_error_line_carries_the_status() -> None:
    event = Decoder(Ingress).event(_bytes({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}))
    assert event.status is not None
    assert event.status.code == 410


def test_an_unreadable_object_in_a_watch_keeps_its_name() -> None:
    event = Decoder(Ingress).event(_bytes({"type": "MODIFIED", "object": _raw("web", spec=3)}))
    assert isinstance(event.object, Unreadable)
    assert event.object.name.name == "web"


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]"])
def test_an_answer_that_is_no_status_keeps_the_code_and_its_own_words(body: bytes) -> None:
    status = parse_status(body, 502)
    assert (status.code, status.message) == (502, body.decode())
