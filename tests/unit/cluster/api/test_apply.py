from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.errors import ApiError
from remora.cluster.api.patch import apply
from remora.cluster.api.patch.apply import Applier, check_manager
from remora.cluster.api.patch.ownership import Finder, fields_from_wire, fields_to_wire, paths_of
from remora.cluster.api.patch.strategic import apply_strategic_patch
from remora.cluster.api.schemas import schema_of


def applier(manager: str, *, force: bool = False) -> Applier:
    return Applier(manager=manager, time="2026-01-01T00:00:00Z", force=force)


def applied(live: dict[str, Any] | None, config: dict[str, Any], applier: Applier) -> dict[str, Any]:
    return apply.applied(live, config, applier, schema_of(config["apiVersion"], config["kind"]))


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": data}


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": list(ports), **spec}}


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", ())}


def test_who_applies_first_owns_what_the_manifest_sets() -> None:
    created = applied(None, config_map(a="1", b="1"), applier("one"))
    assert created["data"] == {"a": "1", "b": "1"}
    assert created["metadata"]["managedFields"] == [
        {
            "manager": "one",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
        }
    ]


def test_another_value_for_a_field_that_somebody_applied_is_a_conflict() -> None:
    live = applied(None, config_map(a="1", b="1"), applier("one"))
    with pytest.raises(ApiError) as caught:
        applied(live, config_map(a="2"), applier("two"))
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert caught.value.to_wire()["details"] == {
        "causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}]
    }


def test_force_takes_the_field_away_from_its_owner() -> None:
    live = applied(None, config_map(a="1", b="1"), applier("one"))
    forced = applied(live, config_map(a="2"), applier("two", force=True))
    assert forced["data"] == {"a": "2", "b": "1"}
    assert owners(forced) == {"one": {"f:data": {"f:b": {}}}, "two": {"f:data": {"f:a": {}}}}


def test_the_same_value_is_shared_and_stays_while_one_of_its_owners_wants_it() -> None:
    live = applied(None, config_map(a="1", b="1"), applier("one"))
    shared = applied(live, config_map(a="1"), applier("two"))
    left = applied(shared, config_map(), applier("one"))
    assert left["data"] == {"a": "1"}
    assert owners(left) == {"one": {"f:data": {}}, "two": {"f:data": {"f:a": {}}}}


def test_what_nobody_applied_is_kept() -> None:
    live = applied(None, config_map(a="1"), applier("one"))
    edited = {**live, "data": {**live["data"], "by-hand": "x"}}
    assert applied(edited, config_map(), applier("one"))["data"] == {"by-hand": "x"}


def test_ports_merge_by_number_and_protocol() -> None:
    live = applied(None, service({"port": 80, "protocol": "TCP", "name": "http"}), applier("one"))
    both = applied(live, service({"port": 443, "name": "https"}), applier("two"))
    assert [port["port"] for port in both["spec"]["ports"]] == [80, 443]
    gone = applied(both, service(), applier("two"))
    assert [port["port"] for port in gone["spec"]["ports"]] == [80]


def test_an_atomic_field_has_one_owner_as_a_whole() -> None:
    live = applied(None, service(selector={"app": "a"}), applier("one"))
    with pytest.raises(ApiError, match=r"\.spec\.selector"):
        applied(live, service(selector={"app": "a", "tier": "b"}), applier("two"))


def test_several_conflicts_are_listed() -> None:
    live = applied(None, config_map(a="1", b="1"), applier("one"))
    with pytest.raises(ApiError) as caught:
        applied(live, config_map(a="2", b="2"), applier("two"))
    assert caught.value.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b'


def test_an_apply_says_whose_it_is() -> None:
    with pytest.raises(ApiError) as caught:
        check_manager("")
    expected = 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    assert caught.value.message == expected


def test_a_manifest_may_not_name_owners_itself() -> None:
    manifest = {**config_map(), "metadata": {"name": "ssa", "managedFields": []}}
    with pytest.raises(ApiError, match=r"metadata\.managedFields must be nil"):
        applied(None, manifest, applier("one"))


NAMES = st.sampled_from(["c", "d", 'e"x'])
PODS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "image": st.text(max_size=2)},
        optional={"env": st.lists(st.fixed_dictionaries({"name": NAMES}), max_size=2)},
    ),
    max_size=2,
    unique_by=lambda container: str(container["name"]),
)


@given(PODS, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3))
def test_owned_fields_survive_being_written_down_and_can_be_found(
    containers: list[dict[str, Any]], labels: dict[str, str]
) -> None:
    pod = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    schema = schema_of("v1", "Pod")
    paths = set(paths_of(pod, schema))
    assert set(fields_from_wire(fields_to_wire(paths))) == paths
    for path in paths:
        Finder(pod, schema).find(path)


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("12")))
def test_applying_the_same_again_changes_nothing(data: dict[str, str]) -> None:
    once = applied(None, config_map(**data), applier("one"))
    assert applied(once, config_map(**data), applier("one")) == once


def test_many_elements_are_applied_again_in_time_that_grows_with_them() -> None:
    def pod(count: int, value: str) -> dict[str, Any]:
        env = [{"name": f"E{index}", "value": value} for index in range(count)]
        spec = {"containers": [{"name": "c", "env": env}]}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}

    first = applied(None, pod(4000, "a"), applier("one"))
    both = applied(first, pod(4000, "b"), applier("two", force=True))
    fewer = applied(both, pod(1, "b"), applier("two", force=True))
    assert len(fewer["spec"]["containers"][0]["env"]) == 4000
    patched = apply_strategic_patch(fewer, {"spec": pod(4000, "c")["spec"]}, schema_of("v1", "Pod"))
    assert {item["value"] for item in patched["spec"]["containers"][0]["env"]} == {"c"}
