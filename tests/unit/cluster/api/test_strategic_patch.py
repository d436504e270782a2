from typing import Any

import pytest

from remora.cluster.api.patch.faults import PatchError
from remora.cluster.api.patch.strategic import apply_strategic_patch
from remora.cluster.api.schemas import schema_of

DEPLOYMENT = schema_of("apps/v1", "Deployment")
CONFIG_MAP = schema_of("v1", "ConfigMap")


def deployment(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}, **spec}}


def containers(obj: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["spec"]["template"]["spec"]["containers"]
    return found


def test_containers_merge_by_name_and_new_ones_come_first() -> None:
    before = deployment({"name": "c", "image": "x:1"})
    after = apply_strategic_patch(before, deployment({"name": "d", "image": "y:1"}), DEPLOYMENT)
    assert containers(after) == [{"name": "d", "image": "y:1"}, {"name": "c", "image": "x:1"}]


def test_an_environment_variable_is_added_to_the_container_that_is_named() -> None:
    before = deployment({"name": "c", "image": "x:1", "env": [{"name": "A", "value": "1"}]})
    patch = deployment({"name": "c", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]})
    (container,) = containers(apply_strategic_patch(before, patch, DEPLOYMENT))
    assert container == {"name": "c", "image": "x:1", "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]}


def test_an_element_can_be_deleted_by_its_key() -> None:
    before = deployment({"name": "c"}, {"name": "d"})
    after = apply_strategic_patch(before, deployment({"name": "d", "$patch": "delete"}), DEPLOYMENT)
    assert containers(after) == [{"name": "c"}]


def test_a_list_can_be_replaced() -> None:
    before = deployment({"name": "c"}, {"name": "d"})
    after = apply_strategic_patch(before, deployment({"$patch": "replace"}, {"name": "e"}), DEPLOYMENT)
    assert containers(after) == [{"name": "e"}]


def test_elements_take_the_order_that_the_patch_sets() -> None:
    before = deployment({"name": "a"}, {"name": "b"}, {"name": "c"})
    patch = {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}}}
    assert [item["name"] for item in containers(apply_strategic_patch(before, patch, DEPLOYMENT))] == ["b", "c", "a"]


def test_retained_keys_are_all_that_stays() -> None:
    before = deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert apply_strategic_patch(before, patch, DEPLOYMENT)["spec"]["strategy"] == {"type": "Recreate"}


def test_finalizers_are_added_and_deleted_one_by_one() -> None:
    before = {"metadata": {"finalizers": ["a/1", "a/2"]}}
    added = apply_strategic_patch(before, {"metadata": {"finalizers": ["a/3", "a/1"]}}, CONFIG_MAP)
    assert sorted(added["metadata"]["finalizers"]) == ["a/1", "a/2", "a/3"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/1"]}}
    assert apply_strategic_patch(before, patch, CONFIG_MAP) == {"metadata": {"finalizers": ["a/2"]}}


def test_null_removes_and_plain_lists_are_replaced() -> None:
    before = deployment({"name": "c", "args": ["a"], "tty": True})
    after = apply_strategic_patch(before, deployment({"name": "c", "args": ["b"], "tty": None}), DEPLOYMENT)
    assert containers(after) == [{"name": "c", "args": ["b"]}]


def test_an_object_can_be_replaced_or_emptied() -> None:
    before = {"data": {"a": "1"}}
    assert apply_strategic_patch(before, {"data": {"$patch": "replace", "b": "2"}}, CONFIG_MAP) == {"data": {"b": "2"}}
    assert apply_strategic_patch(before, {"data": {"$patch": "delete"}}, CONFIG_MAP) == {"data": {}}


@pytest.mark.parametrize(
    "patch",
    [
        deployment({"image": "x"}),
        {"spec": {"$patch": "merely"}},
        {"spec": {"$retainKeys": ["a"], "b": 1}},
        {"spec": {"$setElementOrder/x": 1}},
    ],
)
def test_a_malformed_directive_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        apply_strategic_patch(deployment({"name": "c"}), patch, DEPLOYMENT)
