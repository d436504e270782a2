"""What goes with its owner, what stays, and in which order."""

from collections.abc import Mapping
from typing import Any

from remora.cluster.controllers.actions import Delete, Update
from remora.cluster.controllers.garbage import FOREGROUND, ORPHAN, decide_dependent, decide_owner
from remora.cluster.controllers.namespace import decide_contents, decide_end
from remora.cluster.objects import Object
from tests.unit.cluster.controllers.workloads import NOW


def _object(name: str, *owners: str, **metadata: Any) -> Object:
    references = [{"apiVersion": "v1", "kind": "ConfigMap", "name": o, "uid": o, "blockOwnerDeletion": True} for o in owners]
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "ownerReferences": references, **metadata}}


def _deleted(name: str, finalizer: str) -> Object:
    return _object(name, deletionTimestamp="2026-05-01T12:00:00Z", finalizers=[finalizer])


def _find(*existing: Object) -> Any:
    by_uid = {obj["metadata"]["uid"]: obj for obj in existing}

    def find(reference: Mapping[str, Any]) -> Object | None:
        return by_uid.get(reference["uid"])

    return find


def test_object_without_living_owner_goes() -> None:
    (action,) = decide_dependent("configmaps", _object("child", "gone"), _find())
    assert isinstance(action, Delete)
    assert action.uid == "child"


def test_object_with_another_living_owner_only_loses_the_reference() -> None:
    (action,) = decide_dependent("configmaps", _object("child", "gone", "there"), _find(_object("there")))
    assert isinstance(action, Update)
    assert [reference["name"] for reference in action.object["metadata"]["ownerReferences"]] == ["there"]


def test_owner_of_an_unknown_kind_may_exist() -> None:
    def unknown(_: Mapping[str, Any]) -> Object | None:
        raise LookupError

    assert decide_dependent("configmaps", _object("child", "strange"), unknown) == ()


def test_owner_waits_in_the_foreground_until_what_blocks_it_is_gone() -> None:
    owner = _deleted("owner", FOREGROUND)
    (waiting,) = decide_owner("configmaps", owner, [("configmaps", _object("child", "owner"))])
    assert isinstance(waiting, Delete)
    (done,) = decide_owner("configmaps", owner, [])
    assert isinstance(done, Update)
    assert "finalizers" not in done.object["metadata"]


def test_shared_dependent_survives_a_foreground_deletion() -> None:
    (freed,) = decide_owner("configmaps", _deleted("owner", FOREGROUND), [("configmaps", _object("child", "owner", "other"))])
    assert isinstance(freed, Update)
    assert [reference["name"] for reference in freed.object["metadata"]["ownerReferences"]] == ["other"]


def test_dependents_of_an_owner_that_waits_for_them_go() -> None:
    (action,) = decide_dependent("configmaps", _object("child", "owner"), _find(_deleted("owner", FOREGROUND)))
    assert isinstance(action, Delete)


def test_orphans_lose_their_owner_first() -> None:
    freed, done = decide_owner("configmaps", _deleted("owner", ORPHAN), [("configmaps", _object("child", "owner"))])
    assert isinstance(freed, Update)
    assert isinstance(done, Update)
    assert "ownerReferences" not in freed.object["metadata"]
    assert done.object["metadata"]["name"] == "owner"


def _namespace(**metadata: Any) -> Object:
    return {"metadata": {"name": "team", "uid": "n", **metadata}, "spec": {"finalizers": ["kubernetes"]}}


def test_new_namespace_gets_its_account_and_the_certificate() -> None:
    made = decide_contents(_namespace(), account=None, root_ca=None, ca_certificate="pem")
    assert [action.object["metadata"]["name"] for action in made] == ["default", "kube-root-ca.crt"]  # type: ignore[union-attr]
    complete = decide_contents(_namespace(), account={}, root_ca={"data": {"ca.crt": "pem"}}, ca_certificate="pem")
    assert complete == ()


def test_namespace_goes_when_it_is_empty() -> None:
    ending = _namespace(deletionTimestamp="2026-05-01T12:00:00Z")
    child, leaving = _object("child"), _object("leaving", deletionTimestamp="2026-05-01T12:00:00Z")
    first = decide_end(ending, [("configmaps", child), ("pods", leaving)], now=NOW)
    assert [action.name for action in first.actions if isinstance(action, Delete)] == ["child"]
    assert first.again_in is not None
    *_, last = decide_end(ending, [], now=NOW).actions
    assert isinstance(last, Update)
    assert (last.subresource, last.object["spec"]["finalizers"]) == ("finalize", [])
    assert decide_end(_namespace(), [], now=NOW).actions == ()


def test_ending_namespace_says_what_keeps_it() -> None:
    ending = _namespace(deletionTimestamp="2026-05-01T12:00:00Z")
    held = _object("held", deletionTimestamp="2026-05-01T12:00:00Z", finalizers=["example.com/x"])
    (noted,) = decide_end(ending, [("configmaps", held)], now=NOW).actions
    assert isinstance(noted, Update)
    found = {condition["type"]: condition for condition in noted.object["status"]["conditions"]}
    remaining = "Some resources are remaining: configmaps. has 1 resource instances"
    finalizing = "Some content in the namespace has finalizers remaining: example.com/x in 1 resource instances"
    assert found["NamespaceContentRemaining"]["message"] == remaining
    assert found["NamespaceFinalizersRemaining"]["message"] == finalizing
    assert found["NamespaceDeletionContentFailure"]["status"] == "False"
