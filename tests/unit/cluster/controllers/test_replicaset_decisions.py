"""Which pods a ReplicaSet creates, deletes, adopts and lets go."""

from typing import Any

from remora.cluster.api.errors import ApiError, Cause
from remora.cluster.controllers.actions import Create, Delete, Note, Update
from remora.cluster.controllers.pods import DELETION_COST, deletion_order
from remora.cluster.controllers.replicaset import decide, refused
from remora.cluster.objects import Object, controller_of, is_controlled_by
from tests.unit.cluster.controllers.workloads import NOW, deployment, later, pod, replicaset


def _owner(size: int, **spec: Any) -> Object:
    made = replicaset(deployment(), size)
    return {**made, "spec": {**made["spec"], **spec}}


def test_missing_pods_are_created_from_the_template() -> None:
    owner = _owner(2)
    first, second, *_ = decide(owner, [], now=NOW).actions
    assert isinstance(first, Create)
    assert first == second
    assert first.object["metadata"]["generateName"] == "web-a-"
    assert first.object["metadata"]["labels"] == {"app": "web"}
    assert is_controlled_by(first.object, owner)


def test_terminating_and_finished_pods_do_not_count() -> None:
    owner = _owner(1)
    failed = pod("failed", owner=owner)
    failed["status"]["phase"] = "Failed"
    leaving = pod("leaving", owner=owner, deletionTimestamp="2026-05-01T12:00:00Z")
    actions = decide(owner, [failed, leaving], now=NOW).actions
    assert isinstance(actions[0], Create)
    assert isinstance(actions[1], Update)
    assert actions[1].object["status"]["terminatingReplicas"] == 1


def test_surplus_pods_go_by_the_usefulness_of_each() -> None:
    owner = _owner(0)
    cheap = pod("cheap", owner=owner, annotations={DELETION_COST: "-5"})
    old = pod("old", owner=owner, creationTimestamp="2026-05-01T01:00:00Z")
    new = pod("new", owner=owner, creationTimestamp="2026-05-01T02:00:00Z")
    unready = pod("unready", owner=owner, ready=False)
    pending = pod("pending", owner=owner, ready=False)
    pending["status"]["phase"] = "Pending"
    unbound = pod("unbound", owner=owner, ready=False)
    unbound["spec"] = {}
    ordered = deletion_order([old, unready, cheap, pending, new, unbound])
    assert [found["metadata"]["name"] for found in ordered] == ["unbound", "pending", "unready", "cheap", "new", "old"]


def test_surplus_is_deleted_with_its_uid() -> None:
    owner = _owner(1)
    first, *_ = decide(owner, [pod("a", owner=owner), pod("b", owner=owner, ready=False)], now=NOW).actions
    assert isinstance(first, Delete)
    assert (first.name, first.uid) == ("b", "uid-b")


def test_matching_pod_without_owner_is_adopted() -> None:
    owner = _owner(1)
    (adopt,) = decide(owner, [pod("free")], now=NOW).actions
    assert isinstance(adopt, Update)
    assert is_controlled_by(adopt.object, owner)


def test_pod_whose_labels_were_taken_away_is_let_go() -> None:
    owner = _owner(1)
    (release,) = decide(owner, [pod("odd", owner=owner, labels={})], now=NOW).actions
    assert isinstance(release, Update)
    assert controller_of(release.object) is None


def test_pod_is_available_when_it_was_ready_for_long_enough() -> None:
    owner = _owner(1, minReadySeconds=3700)
    early = decide(owner, [pod("a", owner=owner)], now=NOW)
    assert early.again_in == 100
    assert "availableReplicas" not in early.actions[0].object["status"]  # type: ignore[union-attr]
    assert decide(owner, [pod("a", owner=owner)], now=later(101)).actions[0].object["status"]["availableReplicas"] == 1  # type: ignore[union-attr]


def test_enough_pods_and_a_true_status_need_nothing() -> None:
    owner = _owner(1)
    owner["status"] |= {"fullyLabeledReplicas": 1}
    assert decide(owner, [pod("a", owner=owner)], now=NOW).actions == ()


def test_refused_pod_is_told_until_there_are_enough() -> None:
    owner = _owner(1)
    note, noted = refused(owner, [], ApiError(403, "Forbidden", 'pods "web" is forbidden: no'), now=NOW)
    assert isinstance(note, Note)
    assert (note.reason, note.type) == ("FailedCreate", "Warning")
    assert isinstance(noted, Update)
    (condition,) = noted.object["status"]["conditions"]
    assert (condition["type"], condition["message"]) == ("ReplicaFailure", 'pods "web" is forbidden: no')
    owner["status"] = noted.object["status"]
    after = decide(owner, [pod("a", owner=owner)], now=NOW).actions[-1]
    assert isinstance(after, Update)
    assert "conditions" not in after.object["status"]


def test_ending_namespace_is_no_trouble_of_the_replicaset() -> None:
    cause = Cause("metadata.namespace", "NamespaceTerminating", "it ends")
    assert refused(_owner(1), [], ApiError(403, "Forbidden", "no", causes=[cause]), now=NOW) == ()


def test_replication_controller_selects_by_plain_labels() -> None:
    owner = {**_owner(1), "apiVersion": "v1", "kind": "ReplicationController"}
    owner["spec"] = {**owner["spec"], "selector": {"app": "web"}}
    (adopt,) = decide(owner, [pod("free"), pod("other", labels={"app": "b"})], now=NOW).actions
    assert isinstance(adopt, Update)
    leaving = pod("leaving", owner=owner, deletionTimestamp="2026-05-01T12:00:00Z")
    *_, noted = decide(owner, [leaving], now=NOW).actions
    assert isinstance(noted, Update)
    assert noted.resource == "replicationcontrollers"
    assert "terminatingReplicas" not in noted.object["status"]
