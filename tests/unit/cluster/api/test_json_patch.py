from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.patch.faults import PatchError
from remora.cluster.api.patch.json_patch import apply_json_patch, is_same, parse_pointer

KEYS = st.text(alphabet="ab/~0-", max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)


def escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": 2}, {"a": 1, "b": 2}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"op": "add", "path": "", "value": {"b": 1}}, {"b": 1}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}, "c": {}}, {"op": "move", "from": "/a/b", "path": "/c/d"}, {"a": {}, "c": {"d": 1}}),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a/b": {"~": 1}}, {"op": "test", "path": "/a~1b/~0", "value": 1}, {"a/b": {"~": 1}}),
        ({"a": 1}, {"op": "test", "path": "/b", "value": None}, {"a": 1}),
    ],
)
def test_each_operation_does_what_the_rfc_says(before: Any, operation: dict[str, Any], after: Any) -> None:
    assert apply_json_patch(before, [operation]) == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/zzz"},
        {"op": "replace", "path": "/zzz", "value": 1},
        {"op": "add", "path": "/zzz/below", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "add", "path": "/list/01", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "test", "path": "/a", "value": True},
        {"op": "move", "from": "/list", "path": "/list/0"},
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "a"},
        {"op": "grow", "path": "/a"},
    ],
)
def test_what_does_not_fit_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        apply_json_patch({"a": 1, "list": [1, 2]}, [operation])


def test_a_failing_operation_leaves_the_document_as_it_was() -> None:
    document = {"a": [1]}
    with pytest.raises(PatchError):
        apply_json_patch(document, [{"op": "add", "path": "/a/-", "value": 2}, {"op": "test", "path": "/a", "value": []}])
    assert document == {"a": [1]}


@given(st.lists(KEYS, max_size=4))
def test_a_pointer_is_read_as_it_was_escaped(keys: list[str]) -> None:
    assert parse_pointer("".join("/" + escaped(key) for key in keys)) == keys


@given(st.dictionaries(KEYS, JSON, max_size=3), KEYS, JSON)
def test_what_was_added_is_found_and_can_be_taken_away_again(document: dict[str, Any], key: str, value: Any) -> None:
    path = "/" + escaped(key)
    added = apply_json_patch(
        document, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    )
    assert is_same(added[key], value)
    without = {name: item for name, item in document.items() if name != key}
    assert apply_json_patch(added, [{"op": "remove", "path": path}]) == without


def test_copies_that_double_a_document_end_before_memory_does() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 60
    with pytest.raises(PatchError, match="exceeding the limit"):
        apply_json_patch({"a": ["x" * 1000]}, doubling)
