"""Owners of fields that were written otherwise than by applying, and how applying then goes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.errors import ApiError
from remora.cluster.api.patch.apply import LAST_APPLIED, Applier, applied
from remora.cluster.api.patch.updates import Writer, entries_after, manager_of
from remora.cluster.api.schemas import schema_of

Object = dict[str, Any]
SCHEMA = schema_of("v1", "ConfigMap")


def config_map(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def written(new: Object, before: Object | None, manager: str, *, subresource: str = "") -> Object:
    writer = Writer(manager=manager, time="2026-01-01T00:00:00Z", subresource=subresource)
    entries = entries_after(new, before, writer, schema_of(new["apiVersion"], new["kind"]))
    return {**new, "metadata": {**new["metadata"], "managedFields": entries}}


def owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def apply(live: Object, manifest: Object, manager: str, *, force: bool = False) -> Object:
    return applied(live, manifest, Applier(manager=manager, time="2026-01-02T00:00:00Z", force=force), SCHEMA)


def test_who_creates_owns_everything_and_who_changes_takes_what_changes() -> None:
    first = written(config_map(x="1", y="1"), None, "one")
    assert owners(first) == {"one": {"f:data": {".": {}, "f:x": {}, "f:y": {}}}}
    second = written({**first, "data": {"x": "2", "y": "1", "z": "3"}}, first, "two")
    assert owners(second) == {"one": {"f:data": {".": {}, "f:y": {}}}, "two": {"f:data": {"f:x": {}, "f:z": {}}}}


def test_what_is_removed_has_no_owner_any_more() -> None:
    first = written(config_map(x="1", y="1"), None, "one")
    second = written({**first, "data": {"y": "1"}}, first, "two")
    assert owners(second) == {"one": {"f:data": {".": {}, "f:y": {}}}}


def test_a_write_that_changes_nothing_leaves_owners_as_they_are() -> None:
    first = written(config_map(x="1"), None, "one")
    assert written(first, first, "two") == first


def test_elements_of_lists_have_owners_by_their_keys() -> None:
    metadata = {"name": "a", "finalizers": ["example.com/a"]}
    spec = {"ports": [{"port": 80, "protocol": "TCP"}], "selector": {"app": "a"}}
    service = written({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}, None, "one")
    assert owners(service)["one"] == {
        "f:metadata": {"f:finalizers": {".": {}, 'v:"example.com/a"': {}}},
        "f:spec": {
            "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}}},
            "f:selector": {},
        },
    }


def test_a_status_has_an_entry_of_its_own() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"nodeName": "n"}}
    first = written(pod, None, "one")
    second = written({**first, "status": {"phase": "Running"}}, first, "one", subresource="status")
    found = [(entry.get("subresource"), entry["fieldsV1"]) for entry in second["metadata"]["managedFields"]]
    assert found == [(None, {"f:spec": {"f:nodeName": {}}}), ("status", {"f:status": {"f:phase": {}}})]


def test_applying_over_what_somebody_wrote_is_a_conflict_that_says_how_it_was_written() -> None:
    live = written(config_map(x="1"), None, "kubectl-create")
    with pytest.raises(ApiError) as caught:
        apply(live, config_map(x="2"), "me")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "kubectl-create" using v1: .data.x'
    forced = apply(live, config_map(x="2"), "me", force=True)
    assert owners(forced) == {"me": {"f:data": {"f:x": {}}}, "kubectl-create": {"f:data": {}}}


def test_the_same_manager_may_conflict_with_what_it_wrote_otherwise() -> None:
    live = written(config_map(x="1"), None, "me")
    with pytest.raises(ApiError):
        apply(live, config_map(x="2"), "me")


def test_kubectl_goes_over_to_server_side_apply_without_conflicts() -> None:
    manifest = config_map(x="1")
    live = {**manifest, "metadata": {"name": "a", "annotations": {LAST_APPLIED: json.dumps(manifest)}}}
    live = written(live, None, "kubectl-client-side-apply")
    changed = apply(live, config_map(x="2"), "kubectl")
    assert changed["data"] == {"x": "2"}
    assert json.loads(changed["metadata"]["annotations"][LAST_APPLIED])["data"] == {"x": "2"}
    with pytest.raises(ApiError):
        apply(live, config_map(x="2"), "somebody-else")


def test_what_was_edited_since_kubectl_applied_is_a_conflict() -> None:
    manifest = config_map(x="1")
    live = {**manifest, "metadata": {"name": "a", "annotations": {LAST_APPLIED: json.dumps(manifest)}}}
    edited = written({**live, "data": {"x": "9"}}, written(live, None, "kubectl-client-side-apply"), "kubectl-edit")
    with pytest.raises(ApiError):
        apply(edited, config_map(x="2"), "kubectl")


def test_an_empty_entry_forgets_all_owners() -> None:
    first = written(config_map(x="1"), None, "one")
    reset = {**first, "metadata": {**first["metadata"], "managedFields": [{}]}}
    assert written(reset, first, "two")["metadata"]["managedFields"] == []


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "x", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": 1}},
        {"manager": "x", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"k:nonsense": {}}},
        {"manager": "x", "operation": "Eat", "fieldsType": "FieldsV1", "fieldsV1": {}},
        {"manager": "x"},
    ],
)
def test_entries_that_say_nothing_sensible_are_not_believed(entry: Object) -> None:
    first = written(config_map(x="1"), None, "one")
    broken = {**first, "metadata": {**first["metadata"], "managedFields": [entry]}}
    assert written(broken, first, "two")["metadata"]["managedFields"] == first["metadata"]["managedFields"]


@pytest.mark.parametrize(
    ("given", "agent", "name"), [("x", "kubectl/v1", "x"), ("", "kubectl/v1.36 (linux)", "kubectl"), ("", "", "unknown")]
)
def test_a_manager_without_a_name_goes_by_its_program(given: str, agent: str, name: str) -> None:
    assert manager_of(given, agent) == name


@given(
    st.fixed_dictionaries(
        {
            "replicas": st.integers(0, 3),
            "selector": st.dictionaries(st.sampled_from("ab"), st.just("x")),
            "template": st.fixed_dictionaries(
                {
                    "metadata": st.dictionaries(st.just("labels"), st.dictionaries(st.sampled_from("ab"), st.just("x"))),
                    "spec": st.fixed_dictionaries(
                        {
                            "containers": st.lists(
                                st.fixed_dictionaries(
                                    {"name": st.sampled_from("abc"), "args": st.lists(st.just("x")), "resources": st.just({})}
                                )
                            ),
                            "securityContext": st.just({}),
                        }
                    ),
                }
            ),
        }
    )
)
def test_owners_of_a_new_object_are_those_of_one_written_into_an_empty_one(spec: Object) -> None:
    new = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "a"}, "spec": spec}
    nothing = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "a"}}
    assert written(new, None, "one") == written(new, nothing, "one")
