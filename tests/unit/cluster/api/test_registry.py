"""The registry: what creation, update, deletion and watching mean to clients."""

from typing import Any

import pytest

from remora.cluster.api.errors import ApiError, invalid, invalid_value
from remora.cluster.api.registry import Object, Registry
from remora.cluster.api.selectors import parse_field_selector, parse_label_selector

DEPLOYMENT = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}},
    },
}


def configmap(name: str = "a", **fields: Any) -> Object:
    metadata = {"name": name, "namespace": "default", **fields.pop("metadata", {})}
    return {"metadata": metadata, **fields}


def pod(name: str = "p", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x:1"}], **spec},
    }


async def refusal(doing: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await doing
    return refused.value


async def test_a_new_object_gets_what_only_the_server_gives(registry: Registry) -> None:
    made = await registry.create("configmaps", configmap(metadata={"uid": "mine", "generation": 7}))
    metadata = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
    assert metadata["creationTimestamp"] == "2026-11-20T12:00:00Z"
    assert metadata["resourceVersion"] == str(registry.version)
    assert len(metadata["uid"]) == 36
    assert "generation" not in metadata


async def test_the_object_that_was_given_stays_as_it_was(registry: Registry) -> None:
    given = pod()
    await registry.create("pods", given)
    assert given == pod()


async def test_a_second_object_of_a_name_already_exists(registry: Registry) -> None:
    await registry.create("configmaps", configmap())
    error = await refusal(registry.create("configmaps", configmap()))
    assert (error.status, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "a" already exists')


async def test_a_prefix_becomes_a_name_with_five_letters_behind(registry: Registry) -> None:
    made = await registry.create("configmaps", {"metadata": {"generateName": "g-", "namespace": "default"}})
    name = made["metadata"]["name"]
    assert name.startswith("g-")
    assert len(name) == 7


async def test_an_object_needs_its_namespace(registry: Registry) -> None:
    error = await refusal(registry.create("configmaps", configmap(metadata={"namespace": "none"})))
    assert (error.status, error.message) == (404, 'namespaces "none" not found')


async def test_a_namespace_that_ends_takes_nothing_new(registry: Registry) -> None:
    await registry.create("namespaces", {"metadata": {"name": "n"}})
    await registry.delete("namespaces", "", "n")
    error = await refusal(registry.create("configmaps", configmap("late", metadata={"namespace": "n"})))
    assert error.message == (
        'configmaps "late" is forbidden: unable to create new content in namespace n because it is being terminated'
    )
    assert error.causes[0].reason == "NamespaceTerminating"


async def test_a_dry_run_stores_nothing(registry: Registry) -> None:
    before = registry.version
    made = await registry.create("configmaps", configmap(), dry_run=True)
    assert "resourceVersion" not in made["metadata"]
    assert (registry.version, registry.find("configmaps", "default", "a")) == (before, None)


async def test_a_version_at_creation_is_refused(registry: Registry) -> None:
    error = await refusal(registry.create("configmaps", configmap(metadata={"resourceVersion": "1"})))
    assert error.message == "resourceVersion should not be set on objects to be created"


async def test_a_stale_update_conflicts(registry: Registry) -> None:
    made = await registry.create("configmaps", configmap(data={"k": "1"}))
    await registry.update("configmaps", made | {"data": {"k": "2"}})
    error = await refusal(registry.update("configmaps", made | {"data": {"k": "3"}}))
    assert (error.status, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_an_update_without_a_version_wins(registry: Registry) -> None:
    await registry.create("configmaps", configmap(data={"k": "1"}))
    changed = await registry.update("configmaps", configmap(data={"k": "2"}))
    assert changed["data"] == {"k": "2"}


async def test_an_update_cannot_change_what_the_server_gave(registry: Registry) -> None:
    made = await registry.create("configmaps", configmap())
    changed = await registry.update(
        "configmaps", configmap(metadata={"creationTimestamp": "x", "deletionTimestamp": "y"}, data={"a": "b"})
    )
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]
    assert "deletionTimestamp" not in changed["metadata"]


async def test_an_update_that_changes_nothing_gets_no_new_version(registry: Registry) -> None:
    made = await registry.create("configmaps", configmap(data={"k": "1"}))
    assert await registry.update("configmaps", configmap(data={"k": "1"})) == made


async def test_an_update_of_another_incarnation_conflicts(registry: Registry) -> None:
    await registry.create("configmaps", configmap())
    error = await refusal(registry.update("configmaps", configmap(metadata={"uid": "another"})))
    assert error.reason == "Conflict"


async def test_what_does_not_exist_cannot_be_updated(registry: Registry) -> None:
    assert (await refusal(registry.update("configmaps", configmap()))).message == 'configmaps "a" not found'


async def test_status_and_the_rest_are_written_apart(registry: Registry) -> None:
    made = await registry.create("deployments.apps", DEPLOYMENT | {"status": {"replicas": 9}})
    assert made["status"] == {}
    scaled = await registry.update(
        "deployments.apps", made | {"spec": made["spec"] | {"replicas": 2}, "status": {"replicas": 9}}
    )
    assert (scaled["spec"]["replicas"], scaled["status"]) == (2, {})
    reported = await registry.update(
        "deployments.apps", scaled | {"spec": made["spec"], "status": {"replicas": 2}}, subresource="status"
    )
    assert (reported["spec"]["replicas"], reported["status"]) == (2, {"replicas": 2})


async def test_a_status_of_an_unknown_version_leaves_annotations_alone(registry: Registry) -> None:
    made = await registry.create("deployments.apps", DEPLOYMENT)
    metadata = made["metadata"] | {"annotations": {"a": "b"}}
    await registry.update("deployments.apps", made | {"metadata": metadata})
    stale = {key: value for key, value in made["metadata"].items() if key != "resourceVersion"} | {"annotations": {}}
    reported = await registry.update(
        "deployments.apps", made | {"metadata": stale, "status": {"replicas": 1}}, subresource="status"
    )
    assert reported["metadata"]["annotations"] == {"a": "b"}


async def test_generation_counts_changes_of_the_specification_only(registry: Registry) -> None:
    made = await registry.create("deployments.apps", DEPLOYMENT)
    labelled = await registry.update("deployments.apps", made | {"metadata": made["metadata"] | {"labels": {"a": "b"}}})
    reported = await registry.update("deployments.apps", labelled | {"status": {"replicas": 1}}, subresource="status")
    scaled = await registry.update("deployments.apps", reported | {"spec": made["spec"] | {"replicas": 5}})
    generations = [obj["metadata"]["generation"] for obj in (made, labelled, reported, scaled)]
    assert generations == [1, 1, 1, 2]


async def test_an_invalid_object_is_refused_with_every_cause(registry: Registry) -> None:
    error = await refusal(registry.create("services", {"metadata": {"name": "1", "namespace": "default"}, "spec": {}}))
    assert error.status == 422
    assert [cause.field for cause in error.causes] == ["metadata.name", "spec.ports"]


async def test_an_admission_hook_fills_in_or_refuses(registry: Registry) -> None:
    def hook(obj: Object, before: Object | None) -> Object:
        if before is not None:
            raise invalid("ConfigMap", obj["metadata"]["name"], [invalid_value("data", 1, "may not change")])
        return obj | {"data": {"given": "by the hook"}}

    registry.add_admission("configmaps", hook)
    made = await registry.create("configmaps", configmap())
    assert made["data"] == {"given": "by the hook"}
    error = await refusal(registry.update("configmaps", configmap(data={})))
    assert error.message == 'ConfigMap "a" is invalid: data: Invalid value: 1: may not change'


async def test_an_object_with_a_finalizer_stays_until_it_is_gone(registry: Registry) -> None:
    await registry.create("configmaps", configmap(metadata={"finalizers": ["example.com/f"]}))
    waiting = await registry.delete("configmaps", "default", "a")
    assert waiting is not None
    assert waiting["metadata"]["deletionTimestamp"] == "2026-11-20T12:00:00Z"
    assert waiting["metadata"]["deletionGracePeriodSeconds"] == 0
    await registry.update("configmaps", configmap(data={"still": "there"}, metadata={"finalizers": ["example.com/f"]}))
    await registry.update("configmaps", configmap())
    assert registry.find("configmaps", "default", "a") is None


async def test_what_is_being_deleted_takes_no_new_finalizer(registry: Registry) -> None:
    await registry.create("configmaps", configmap(metadata={"finalizers": ["example.com/f"]}))
    await registry.delete("configmaps", "default", "a")
    error = await refusal(registry.update("configmaps", configmap(metadata={"finalizers": ["example.com/f", "example.com/g"]})))
    assert "no new finalizers can be added if the object is being deleted" in error.message


async def test_a_pod_on_a_node_stays_for_its_grace_period(registry: Registry) -> None:
    await registry.create("pods", pod(nodeName="remora", terminationGracePeriodSeconds=7))
    waiting = await registry.delete("pods", "default", "p")
    assert waiting is not None
    assert waiting["metadata"]["deletionTimestamp"] == "2026-11-20T12:00:07Z"
    assert waiting["metadata"]["deletionGracePeriodSeconds"] == 7
    assert await registry.delete("pods", "default", "p") == waiting
    assert await registry.delete("pods", "default", "p", grace_period_seconds=0) is None
    assert registry.find("pods", "default", "p") is None


async def test_a_pod_that_runs_nowhere_goes_at_once(registry: Registry) -> None:
    await registry.create("pods", pod())
    assert await registry.delete("pods", "default", "p") is None


async def test_a_second_delete_may_shorten_the_grace_period_but_not_lengthen_it(registry: Registry) -> None:
    await registry.create("pods", pod(nodeName="remora"))
    await registry.delete("pods", "default", "p", grace_period_seconds=20)
    longer = await registry.delete("pods", "default", "p", grace_period_seconds=40)
    shorter = await registry.delete("pods", "default", "p", grace_period_seconds=5)
    assert [obj and obj["metadata"]["deletionGracePeriodSeconds"] for obj in (longer, shorter)] == [20, 5]


async def test_deletion_in_the_foreground_waits_for_the_garbage_collector(registry: Registry) -> None:
    await registry.create("deployments.apps", DEPLOYMENT)
    waiting = await registry.delete("deployments.apps", "default", "web", propagation="Foreground")
    assert waiting is not None
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]


async def test_another_incarnation_is_not_deleted(registry: Registry) -> None:
    await registry.create("configmaps", configmap())
    error = await refusal(registry.delete("configmaps", "default", "a", uid="another"))
    assert error.reason == "Conflict"
    assert "the UID in the precondition (another) does not match the UID in record" in error.message


async def test_a_namespace_goes_when_its_last_finalizer_does(registry: Registry) -> None:
    await registry.create("namespaces", {"metadata": {"name": "n"}})
    waiting = await registry.delete("namespaces", "", "n")
    assert waiting is not None
    assert waiting["status"]["phase"] == "Terminating"
    assert "deletionGracePeriodSeconds" not in waiting["metadata"]
    await registry.update("namespaces", waiting | {"spec": {"finalizers": []}}, subresource="finalize")
    assert registry.find("namespaces", "", "n") is None


async def test_the_namespaces_of_the_system_cannot_be_deleted(registry: Registry) -> None:
    error = await refusal(registry.delete("namespaces", "", "default"))
    assert error.message == 'namespaces "default" is forbidden: this namespace may not be deleted'


async def test_a_list_can_be_narrowed_by_labels_and_fields(registry: Registry) -> None:
    for name in ("a", "b", "c"):
        await registry.create("configmaps", configmap(name, metadata={"labels": {"name": name}}))
    found, version = registry.list("configmaps", labels=parse_label_selector("name in (a,b)"))
    assert [obj["metadata"]["name"] for obj in found] == ["a", "b"]
    assert version == registry.version
    found, _ = registry.list("configmaps", "default", fields=parse_field_selector("metadata.name=c"))
    assert [obj["metadata"]["name"] for obj in found] == ["c"]


async def test_a_watch_begins_with_what_exists_and_goes_on_with_changes(registry: Registry) -> None:
    await registry.create("configmaps", configmap("a"))
    watch = registry.watch("configmaps", "default")
    await registry.create("configmaps", configmap("b"))
    await registry.delete("configmaps", "default", "a")
    seen = [(event.type, event.object["metadata"]["name"]) for event in [await anext(watch) for _ in range(3)]]
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


async def test_a_watch_since_a_version_begins_after_it(registry: Registry) -> None:
    made = await registry.create("configmaps", configmap(data={"k": "1"}))
    watch = registry.watch("configmaps", since=int(made["metadata"]["resourceVersion"]))
    await registry.update("configmaps", configmap(data={"k": "2"}))
    event = await anext(watch)
    assert (event.type, event.object["data"]) == ("MODIFIED", {"k": "2"})
    assert event.previous == made
    assert event.resource_version == registry.version


async def test_a_watch_of_a_namespace_sees_nothing_of_another(registry: Registry) -> None:
    await registry.create("namespaces", {"metadata": {"name": "other"}})
    watch = registry.watch("configmaps", "other")
    await registry.create("configmaps", configmap("a"))
    await registry.create("configmaps", configmap("b", metadata={"namespace": "other"}))
    assert (await anext(watch)).object["metadata"]["name"] == "b"


async def test_a_watch_from_before_the_log_is_expired(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.cluster.store.store.LOG_LENGTH", 2)
    for number in range(5):
        await registry.create("configmaps", configmap(f"c{number}"))
    with pytest.raises(ApiError) as refused:
        registry.watch("configmaps", since=1)
    assert (refused.value.status, refused.value.reason) == (410, "Expired")


async def test_a_pod_may_only_change_its_image_but_may_be_placed(registry: Registry) -> None:
    made = await registry.create("pods", pod())
    placed = await registry.update("pods", made | {"spec": made["spec"] | {"nodeName": "remora"}})
    error = await refusal(registry.update("pods", placed | {"spec": placed["spec"] | {"nodeName": "elsewhere"}}))
    assert error.message.startswith('Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than')
    containers = [placed["spec"]["containers"][0] | {"image": "x:2"}]
    assert (await registry.update("pods", placed | {"spec": placed["spec"] | {"containers": containers}}))["metadata"][
        "generation"
    ] == 3
