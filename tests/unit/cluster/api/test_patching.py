from typing import Any

import msgspec
import pytest

from remora.cluster.api.deletion import Options
from remora.cluster.api.errors import ApiError
from remora.cluster.api.patch import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from remora.cluster.api.patching import Patched, PatchRequest, patch
from remora.cluster.api.registry import Registry
from remora.cluster.api.resources import RESOURCES, Resource
from remora.cluster.api.selectors import parse_label_selector


def row(group: str, version: str, plural: str) -> Resource:
    found = RESOURCES.find_by_path(group, version, plural)
    assert found is not None
    return found


CONFIG_MAPS = row("", "v1", "configmaps")
INGRESSES = row("networking.k8s.io", "v1", "ingresses")
OLD_INGRESSES = row("extensions", "v1beta1", "ingresses")

INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "i", "namespace": "default"},
    "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
}


async def config_map(registry: Registry, name: str = "a", **data: str) -> dict[str, Any]:
    return await registry.create("configmaps", {"metadata": {"name": name, "namespace": "default"}, "data": data})


async def patch_config_map(registry: Registry, body: Any, patch_type: str = MERGE_PATCH, **options: Any) -> Patched:
    request = PatchRequest(patch_type=patch_type, body=msgspec.json.encode(body), **options)
    return await patch(registry, CONFIG_MAPS, "default", "a", request)


async def refusal(registry: Registry, body: Any, patch_type: str = MERGE_PATCH, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await patch_config_map(registry, body, patch_type, **options)
    return caught.value


async def test_a_merge_patch_is_stored(registry: Registry) -> None:
    before = await config_map(registry, k="1")
    result = await patch_config_map(registry, {"data": {"k": None, "n": "1"}})
    assert (result.object["data"], result.is_new) == ({"n": "1"}, False)
    assert registry.find("configmaps", "default", "a") == result.object
    assert int(result.object["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])


async def test_a_patch_that_changes_nothing_keeps_the_version(registry: Registry) -> None:
    before = await config_map(registry, k="1")
    assert (await patch_config_map(registry, {"data": {"k": "1"}})).object == before


async def test_a_dry_run_stores_nothing(registry: Registry) -> None:
    before = await config_map(registry, k="1")
    assert (await patch_config_map(registry, {"data": {"k": "2"}}, dry_run=True)).object["data"] == {"k": "2"}
    assert registry.find("configmaps", "default", "a") == before


async def test_a_patch_for_an_older_version_is_a_conflict(registry: Registry) -> None:
    await config_map(registry, k="1")
    error = await refusal(registry, {"metadata": {"resourceVersion": "1"}, "data": {"q": "1"}})
    assert (error.status, error.reason) == (409, "Conflict")


async def test_a_patch_renames_nothing(registry: Registry) -> None:
    await config_map(registry)
    error = await refusal(registry, {"metadata": {"name": "other"}})
    assert (error.status, error.message) == (400, "the name of the object (other) does not match the name on the URL (a)")


async def test_the_result_of_a_patch_is_checked(registry: Registry) -> None:
    await config_map(registry)
    assert (await refusal(registry, {"metadata": {"labels": {"bad key!": "x"}}})).status == 422
    assert (await refusal(registry, {"data": {"k": 1}})).status == 400


async def test_unknown_fields_are_reported_or_refused(registry: Registry) -> None:
    await config_map(registry)
    assert (await patch_config_map(registry, {"dat": {}})).problems == ('unknown field "dat"',)
    assert "strict decoding error" in (await refusal(registry, {"dat": {}}, field_validation="Strict")).message


async def test_json_patches_that_do_not_fit_are_refused_without_particulars(registry: Registry) -> None:
    await config_map(registry, k="1")
    error = await refusal(registry, [{"op": "test", "path": "/data/k", "value": "9"}], JSON_PATCH)
    assert error.to_wire() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the server rejected our request due to an error in our request",
        "reason": "Invalid",
        "details": {},
        "code": 422,
    }
    assert (await refusal(registry, {"op": "x"}, JSON_PATCH)).message == (
        "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    )


async def test_what_is_no_patch_is_refused(registry: Registry) -> None:
    await config_map(registry)
    assert (await refusal(registry, [], MERGE_PATCH)).status == 400
    assert (await refusal(registry, {}, "application/json")).status == 415
    assert (await refusal(registry, {}, MERGE_PATCH, force=True)).status == 422
    assert (await refusal(registry, {"metadata": {"$patch": "odd"}}, STRATEGIC_PATCH)).status == 400


async def test_what_does_not_exist_cannot_be_patched_but_applied(registry: Registry) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    assert (await refusal(registry, {"data": {}})).message == 'configmaps "a" not found'
    assert (await refusal(registry, manifest, APPLY_PATCH)).status == 422
    made = await patch_config_map(registry, manifest, APPLY_PATCH, field_manager="one")
    assert made.is_new
    assert [entry["manager"] for entry in made.object["metadata"]["managedFields"]] == ["one"]
    again = await patch_config_map(registry, manifest, APPLY_PATCH, field_manager="one")
    assert (again.object, again.is_new) == (made.object, False)


async def test_an_update_in_between_leaves_the_owners_of_fields(registry: Registry) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    made = await patch_config_map(registry, manifest, APPLY_PATCH, field_manager="one")
    plain = {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "1", "n": "2"}}
    updated = await registry.update("configmaps", plain)
    assert updated["metadata"]["managedFields"] == made.object["metadata"]["managedFields"]


async def test_a_patch_speaks_the_version_of_its_request(registry: Registry) -> None:
    await registry.create("ingresses.networking.k8s.io", INGRESS)
    body = b'{"spec": {"backend": {"servicePort": "http"}}}'
    result = await patch(registry, OLD_INGRESSES, "default", "i", PatchRequest(patch_type=MERGE_PATCH, body=body))
    assert result.object["spec"]["backend"] == {"serviceName": "web", "servicePort": "http"}
    stored = registry.find("ingresses.networking.k8s.io", "default", "i")
    assert stored is not None
    assert stored["apiVersion"] == "networking.k8s.io/v1"
    assert stored["spec"]["defaultBackend"] == {"service": {"name": "web", "port": {"name": "http"}}}


async def test_a_status_patch_changes_the_status_and_another_never_does(registry: Registry) -> None:
    await registry.create("ingresses.networking.k8s.io", INGRESS)
    body = msgspec.json.encode({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}, "spec": {"rules": []}})
    request = PatchRequest(patch_type=MERGE_PATCH, body=body)
    by_status = await patch(registry, INGRESSES, "default", "i", request, subresource="status")
    assert by_status.object["status"] == {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert by_status.object["spec"] == INGRESS["spec"]
    other = PatchRequest(patch_type=MERGE_PATCH, body=b'{"status": {"loadBalancer": {}}}')
    assert (await patch(registry, INGRESSES, "default", "i", other)).object["status"] == by_status.object["status"]


async def test_a_collection_is_deleted_by_selector(registry: Registry) -> None:
    for name, label in (("a", "x"), ("b", "y"), ("c", "x")):
        await registry.create("configmaps", {"metadata": {"name": name, "namespace": "default", "labels": {"l": label}}})
    deleted = await registry.delete_collection("configmaps", "default", Options(), labels=parse_label_selector("l=x"))
    assert [obj["metadata"]["name"] for obj in deleted] == ["a", "c"]
    assert [obj["metadata"]["name"] for obj in registry.list("configmaps")[0]] == ["b"]
