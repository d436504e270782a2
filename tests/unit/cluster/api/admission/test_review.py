import base64
import json
from typing import Any

import pytest

from remora.cluster.api.admission.review import Answer, CallError, parse_answer, patched, refusal
from remora.cluster.api.errors import ApiError


def answer(**response: Any) -> bytes:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": "1", **response}}
    return json.dumps(review).encode()


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "received invalid webhook response"),
        (b"[]", "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview"),
        (b'{"apiVersion": "admission.k8s.io/v1beta1", "kind": "AdmissionReview"}', "expected webhook response of"),
        (b'{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}', "webhook response was absent"),
        (answer(uid="2"), 'expected response.uid="1", got "2"'),
        (answer(allowed=True, patch=encoded([])), "invalid response.patchType, expected JSONPatch"),
        (answer(allowed=True, patchType="JSONPatch"), "webhook returned response.patchType but not response.patch"),
        (answer(allowed=True, patchType="JSONPatch", patch="!"), "received invalid webhook response"),
        (answer(allowed=True, patchType="JSONPatch", patch=encoded({"a": 1})), "received invalid webhook response"),
    ],
)
def test_what_is_no_answer_is_named(body: bytes, why: str) -> None:
    with pytest.raises(CallError) as raised:
        parse_answer(body, uid="1")
    assert why in str(raised.value)


def test_an_answer_is_read() -> None:
    operations = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
    found = parse_answer(answer(allowed=True, warnings=["w"], patchType="JSONPatch", patch=encoded(operations)), uid="1")
    assert found == Answer(is_allowed=True, patch=tuple(operations), warnings=("w",))
    assert patched({"metadata": {}}, found) == {"metadata": {"labels": {"a": "b"}}}


def test_a_patch_that_leaves_no_object_is_refused() -> None:
    with pytest.raises(ApiError):
        patched({"metadata": {}}, Answer(is_allowed=True, patch=({"op": "replace", "path": "", "value": 1},)))


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        ({}, 400, "denied the request without explanation"),
        ({"message": "no"}, 400, "denied the request: no"),
        ({"reason": "Bad", "code": 200}, 400, "denied the request: Bad"),
        ({"message": "no", "code": 403}, 403, "denied the request: no"),
    ],
)
def test_a_refusal_is_worded_as_in_kubernetes(status: Any, code: int, text: str) -> None:
    error = refusal("a.b.c", status)
    assert (error.status, error.message) == (code, f'admission webhook "a.b.c" {text}')
