"""What the Deployment controller does next, and what it says about it."""

from typing import Any

from remora.cluster.controllers import revision
from remora.cluster.controllers.actions import Action, Create, Delete, Update
from remora.cluster.controllers.deployment import decide
from remora.cluster.controllers.rollout import limits
from remora.cluster.objects import Object, controller_of
from tests.unit.cluster.controllers.workloads import NOW, deployment, later, pod, replicaset, rolling


def _status(actions: tuple[Action, ...]) -> Object:
    return next(action.object["status"] for action in actions if isinstance(action, Update) and action.subresource == "status")


def _condition(status: Object, type_: str) -> Object:
    return next(dict(found) for found in status["conditions"] if found["type"] == type_)


def _replicaset_of(owner: Object, size: int, *, number: int, name: str = "", **options: Any) -> Object:
    """As the controller itself made it."""
    made = replicaset(owner, size, name=name or f"web-{number}", **options)
    annotations = {revision.REVISION: str(number), **revision.sized_annotations(limits(owner))}
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


def test_first_step_creates_the_replicaset_in_full_size() -> None:
    owner = deployment(3)
    create, status = decide(owner, [], [], now=NOW).actions
    assert isinstance(create, Create)
    made = create.object
    hash_ = made["metadata"]["labels"][revision.HASH_LABEL]
    assert made["metadata"]["name"] == f"web-{hash_}"
    assert made["spec"]["replicas"] == 3
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", revision.HASH_LABEL: hash_}
    assert made["spec"]["template"]["metadata"]["labels"][revision.HASH_LABEL] == hash_
    assert made["metadata"]["annotations"][revision.REVISION] == "1"
    assert (controller_of(made) or {})["name"] == "web"
    assert create.note is not None
    assert create.note.message == f"Scaled up replica set web-{hash_} from 0 to 3"
    assert isinstance(status, Update)


def test_changed_template_starts_a_rolling_update() -> None:
    old_owner, owner = deployment(4), deployment(4, image="web:2")
    old = _replicaset_of(old_owner, 4, number=1)
    create = decide(owner, [old], [], now=NOW).actions[0]
    assert isinstance(create, Create)
    assert create.object["spec"]["replicas"] == 1
    assert create.object["metadata"]["annotations"][revision.REVISION] == "2"


def test_template_from_before_uses_its_replicaset_again_with_the_next_revision() -> None:
    first, second = deployment(2), deployment(2, image="web:2")
    replicasets = [_replicaset_of(first, 0, number=1), _replicaset_of(second, 2, number=2)]
    update = decide(first, replicasets, [], now=NOW).actions[0]
    assert isinstance(update, Update)
    assert update.object["metadata"]["name"] == "web-1"
    annotations = update.object["metadata"]["annotations"]
    assert (annotations[revision.REVISION], annotations[revision.REVISION_HISTORY]) == ("3", "1")


def test_paused_deployment_scales_and_rolls_nothing_out() -> None:
    old = _replicaset_of(deployment(2), 2, number=1)
    owner = deployment(5, image="web:2", paused=True)
    first, status, *_ = decide(owner, [old], [], now=NOW).actions
    assert isinstance(first, Update)
    assert first.object["spec"]["replicas"] == 5
    assert _condition(_status((first, status)), "Progressing")["reason"] == "DeploymentPaused"


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    owner = deployment(2, image="web:2", strategy={"type": "Recreate"})
    old = _replicaset_of(deployment(2), 0, number=1)
    stopping = pod("a", owner=old, deletionTimestamp="2026-05-01T11:59:59Z")
    waiting = decide(owner, [old], [stopping], now=NOW).actions
    assert not any(isinstance(action, Create) for action in waiting)
    assert any(isinstance(action, Create) for action in decide(owner, [old], [], now=NOW).actions)


def test_equal_replicaset_without_owner_is_adopted() -> None:
    owner = deployment(2)
    orphan = replicaset(owner, 2, ownerReferences=[], labels={"app": "web"})
    adopt = decide(owner, [orphan], [], now=NOW).actions[0]
    assert isinstance(adopt, Update)
    assert (controller_of(adopt.object) or {})["uid"] == "d"


def test_history_is_cut_to_its_limit_oldest_first() -> None:
    owner = deployment(1, image="web:9", revisionHistoryLimit=1)
    current = _replicaset_of(owner, 1, number=4)
    old = [_replicaset_of(deployment(1, image=f"web:{n}"), 0, number=n) for n in (3, 1, 2)]
    deleted = [a.name for a in decide(owner, [current, *old], [], now=NOW).actions if isinstance(a, Delete)]
    assert deleted == ["web-1", "web-2"]


def test_status_counts_and_completion() -> None:
    owner = deployment(2)
    status = _status(decide(owner, [_replicaset_of(owner, 2, number=1)], [], now=NOW).actions)
    assert {part: status[part] for part in ("replicas", "updatedReplicas", "availableReplicas", "observedGeneration")} == {
        "replicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    assert _condition(status, "Available")["status"] == "True"
    assert _condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_deciding_again_on_what_was_decided_does_nothing() -> None:
    owner = deployment(2)
    current = _replicaset_of(owner, 2, number=1)
    first = decide(owner, [current], [], now=NOW).actions
    settled = {
        **owner,
        "metadata": {**owner["metadata"], "annotations": {revision.REVISION: "1"}},
        "status": _status(first),
    }
    assert decide(settled, [current], [], now=later(60)).actions == ()


def test_rollout_that_stands_still_is_called_so_after_its_deadline() -> None:
    owner = deployment(2, progressDeadlineSeconds=60, strategy=rolling(1, 0))
    stuck = _replicaset_of(owner, 2, number=1, available=0)
    begun = _status(decide(owner, [stuck], [], now=NOW).actions)
    waiting = decide({**owner, "status": begun}, [stuck], [], now=later(30))
    assert waiting.again_in is not None
    progressing = _status(waiting.actions)
    late = decide({**owner, "status": progressing}, [stuck], [], now=later(120))
    found = _condition(_status(late.actions), "Progressing")
    assert (found["status"], found["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_pod_that_fails_after_the_rollout_is_no_new_rollout() -> None:
    owner = deployment(2)
    done = _status(decide(owner, [_replicaset_of(owner, 2, number=1)], [], now=NOW).actions)
    broken = _replicaset_of(owner, 2, number=1, available=1)
    status = _status(decide({**owner, "status": done}, [broken], [], now=later(60)).actions)
    assert _condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert status["unavailableReplicas"] == 1


def test_deployment_that_is_deleted_is_left_to_the_garbage_collector() -> None:
    owner = deployment(2)
    owner["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    assert decide(owner, [], [], now=NOW).actions == ()


def test_hash_follows_from_the_template_alone() -> None:
    template = deployment()["spec"]["template"]
    assert revision.template_hash(template) == revision.template_hash({**template})
    assert revision.template_hash(template) != revision.template_hash(template, collisions=1)


def test_taken_name_is_passed_over_and_counted() -> None:
    owner = deployment(1)
    create = decide(owner, [], [], now=NOW).actions[0]
    assert isinstance(create, Create)
    stranger = replicaset(deployment(), 0, name=create.object["metadata"]["name"], labels={}, ownerReferences=[])
    again, *_, noted = decide(owner, [stranger], [], now=NOW).actions
    assert isinstance(again, Create)
    assert again.object["metadata"]["name"] != create.object["metadata"]["name"]
    assert isinstance(noted, Update)
    assert noted.object["status"]["collisionCount"] == 1


def test_resumed_deployment_says_so_before_it_goes_on() -> None:
    condition = {
        "type": "Progressing",
        "status": "Unknown",
        "reason": "DeploymentPaused",
        "lastUpdateTime": "2026-05-01T11:00:00Z",
    }
    owner = deployment(1, status={"conditions": [condition]})
    *_, noted = decide(owner, [_replicaset_of(owner, 1, number=1, available=0)], [], now=NOW).actions
    assert isinstance(noted, Update)
    found = {c["type"]: c for c in noted.object["status"]["conditions"]}
    assert found["Progressing"]["reason"] == "DeploymentResumed"


def test_refused_pods_are_a_condition_of_the_deployment_until_they_come() -> None:
    owner = deployment(1)
    stuck = _replicaset_of(owner, 1, number=1)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "pods is forbidden"}
    stuck["status"] = {"replicas": 0, "conditions": [failure]}
    noted = decide(owner, [stuck], [], now=NOW).actions[-1]
    assert isinstance(noted, Update)
    assert noted.object["status"]["conditions"][-1]["message"] == "pods is forbidden"
    stuck["status"] = {"replicas": 1, "availableReplicas": 1}
    owner["status"] = noted.object["status"]
    after = decide(owner, [stuck], [], now=NOW).actions[-1]
    assert isinstance(after, Update)
    assert "ReplicaFailure" not in {c["type"] for c in after.object["status"]["conditions"]}
