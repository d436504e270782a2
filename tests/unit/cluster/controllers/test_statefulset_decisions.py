"""StatefulSets step by step, and what never happens whatever the steps are."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.cluster.controllers import history, identity
from remora.cluster.controllers.actions import Create, Delete, Update
from remora.cluster.controllers.pods import is_available
from remora.cluster.controllers.statefulset import STATEFULSETS, decide
from remora.cluster.objects import Object, is_ready, is_terminating, labels_of
from tests.unit.cluster.controllers.workloads import NOW, deployment
from tests.unit.cluster.controllers.world import World


def _set(replicas: int = 3, *, image: str = "db:1", **spec: Any) -> Object:
    made = deployment(replicas, image=image, serviceName="db", **spec)
    metadata = {**made["metadata"], "name": "db", "uid": "s"}
    return {**made, "kind": "StatefulSet", "metadata": metadata, "status": {}}


class Run:
    """A StatefulSet in a world; `step` decides once and does it."""

    def __init__(self, owner: Object) -> None:
        self.world = World()
        self.become(owner)

    def become(self, owner: Object) -> None:
        before = self.world.objects.get(STATEFULSETS, {}).get("db", {})
        self.world.objects[STATEFULSETS] = {"db": {**owner, "status": before.get("status", {})}}

    @property
    def owner(self) -> Object:
        return self.world.objects[STATEFULSETS]["db"]

    def step(self) -> bool:
        """Whether anything but the status changed."""
        world = self.world
        decision = decide(self.owner, world.pods, world.of(history.REVISIONS), world.of(identity.CLAIMS), now=NOW)
        world.apply(decision.actions)
        return any(not (isinstance(a, Update) and a.subresource) for a in decision.actions)

    def rest(self) -> None:
        for _ in range(200):
            changed = self.step()
            pods = self.world.pods
            self.world.settle()
            if not changed and pods == self.world.pods:
                self.step()
                return
        pytest.fail("it never comes to rest")

    def names(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.world.pods]

    def images(self) -> list[str]:
        return [pod["spec"]["containers"][0]["image"] for pod in self.world.pods]


def _at_rest(owner: Object) -> Run:
    run = Run(owner)
    run.rest()
    return run


def test_pods_begin_one_after_the_other() -> None:
    run = Run(_set())
    for _ in range(4):
        run.step()
    assert run.names() == ["db-0"]
    run.world.start("db-0")
    run.step()
    run.step()
    assert run.names() == ["db-0", "db-1"]


def test_parallel_pods_begin_together() -> None:
    run = Run(_set(podManagementPolicy="Parallel"))
    run.step()
    run.step()
    assert run.names() == ["db-0", "db-1", "db-2"]


def test_pod_knows_who_it_is() -> None:
    run = _at_rest(_set(1, ordinals={"start": 5}))
    (pod,) = run.world.pods
    assert pod["metadata"]["name"] == pod["spec"]["hostname"] == labels_of(pod)[identity.NAME_LABEL] == "db-5"
    assert (pod["spec"]["subdomain"], labels_of(pod)[identity.INDEX_LABEL]) == ("db", "5")
    assert labels_of(pod)[history.POD_LABEL] == run.owner["status"]["updateRevision"]


def test_claims_are_made_before_their_pod_and_stay_by_default() -> None:
    template = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    run = _at_rest(_set(2, volumeClaimTemplates=[template]))
    assert [claim["metadata"]["name"] for claim in run.world.of(identity.CLAIMS)] == ["data-db-0", "data-db-1"]
    volume = run.world.pods[1]["spec"]["volumes"][0]
    assert volume == {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1", "readOnly": False}}
    run.become(_set(1, volumeClaimTemplates=[template]))
    run.rest()
    assert all("ownerReferences" not in claim["metadata"] for claim in run.world.of(identity.CLAIMS))


def test_claims_go_with_whom_the_policy_says() -> None:
    template = {"metadata": {"name": "data"}, "spec": {}}
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    run = _at_rest(_set(2, volumeClaimTemplates=[template], persistentVolumeClaimRetentionPolicy=policy))
    run.become(_set(1, volumeClaimTemplates=[template], persistentVolumeClaimRetentionPolicy=policy))
    run.rest()
    owners = [claim["metadata"]["ownerReferences"][0]["kind"] for claim in run.world.of(identity.CLAIMS)]
    assert owners == ["StatefulSet", "Pod"]


def test_set_shrinks_from_the_highest_number() -> None:
    run = _at_rest(_set(3))
    run.become(_set(1))
    run.step()
    assert [pod["metadata"]["name"] for pod in run.world.pods if is_terminating(pod)] == ["db-2"]
    run.step()
    assert sum(map(is_terminating, run.world.pods)) == 1
    run.rest()
    assert run.names() == ["db-0"]


def test_update_goes_down_to_the_partition_and_counts_as_current_when_it_is_complete() -> None:
    run = _at_rest(_set(3))
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    run.become(_set(3, image="db:2", updateStrategy=partition))
    run.rest()
    assert run.images() == ["db:1", "db:1", "db:2"]
    status = run.owner["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    assert status["currentRevision"] != status["updateRevision"]
    run.world.objects["pods"].pop("db-0")
    run.rest()
    assert run.images() == ["db:1", "db:1", "db:2"]
    run.become(_set(3, image="db:2"))
    run.rest()
    status = run.owner["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (3, 3)


def test_pods_are_replaced_only_when_deleted_if_the_strategy_says_so() -> None:
    run = _at_rest(_set(2))
    run.become(_set(2, image="db:2", updateStrategy={"type": "OnDelete"}))
    run.rest()
    assert run.images() == ["db:1", "db:1"]
    run.world.objects["pods"].pop("db-0")
    run.rest()
    assert run.images() == ["db:2", "db:1"]


def test_template_that_returns_takes_its_revision_with_a_new_number() -> None:
    run = _at_rest(_set(1))
    run.become(_set(1, image="db:2"))
    run.rest()
    run.become(_set(1))
    run.rest()
    assert sorted(revision["revision"] for revision in run.world.of(history.REVISIONS)) == [2, 3]
    assert run.images() == ["db:1"]


def test_old_revisions_beyond_the_limit_go() -> None:
    run = _at_rest(_set(1, revisionHistoryLimit=1))
    for number in range(2, 6):
        run.become(_set(1, image=f"db:{number}", revisionHistoryLimit=1))
        run.rest()
        run.rest()
    assert sorted(revision["revision"] for revision in run.world.of(history.REVISIONS)) == [4, 5]


def test_failed_pod_makes_room_for_its_successor() -> None:
    run = _at_rest(_set(2))
    run.world.end("db-0", "Failed")
    run.step()
    assert [pod["metadata"]["name"] for pod in run.world.pods if is_terminating(pod)] == ["db-0"]
    run.rest()
    assert all(map(is_ready, run.world.pods))


def test_name_of_a_revision_that_another_has_is_passed_over() -> None:
    run = Run(_set(1))
    run.step()
    (revision,) = run.world.of(history.REVISIONS)
    other = Run(_set(1))
    other.world.objects[history.REVISIONS] = {
        revision["metadata"]["name"]: {
            **revision,
            "metadata": {"name": revision["metadata"]["name"], "namespace": "default", "uid": "r"},
        }
    }
    other.rest()
    assert other.owner["status"]["collisionCount"] == 1


def test_several_pods_that_have_failed_do_not_keep_the_set_from_shrinking() -> None:
    run = Run(_set(2))
    run.rest()
    for name in run.names():
        run.world.end(name, "Failed")
    run.become(_set(0))
    run.rest()
    assert run.names() == []


def test_pod_without_name_of_the_set_is_not_adopted() -> None:
    owner = _set(0)
    stranger = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "db-x", "uid": "x", "labels": {"app": "web"}},
        "spec": {},
    }
    first = decide(owner, [stranger], [], [], now=NOW).actions
    assert isinstance(first[0], Create)
    assert first[0].resource == history.REVISIONS


_SETS = st.builds(
    lambda replicas, version, parallel, partition, unavailable: _set(
        replicas,
        image=f"db:{version}",
        podManagementPolicy="Parallel" if parallel else "OrderedReady",
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": partition, "maxUnavailable": unavailable}},
    ),
    st.integers(0, 4),
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 5),
    st.sampled_from([None, 1, 2, "50%"]),
)


@settings(max_examples=60, deadline=None)
@given(
    sets=st.lists(_SETS, min_size=1, max_size=4), events=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=8)
)
def test_no_name_is_there_twice_and_it_always_ends(sets: list[Object], events: list[tuple[int, int]]) -> None:
    """`World` refuses a second pod of a name. Pods begin, end and fail while the set changes under way."""
    run = Run(sets[0])
    remaining = list(events)
    for owner in sets:
        run.become(owner)
        for _ in range(3):
            run.step()
            if remaining and run.world.pods:
                chosen, what = remaining.pop()
                _disturb(run.world, run.world.pods[chosen % len(run.world.pods)], what)
    run.rest()
    wanted = [f"db-{ordinal}" for ordinal in identity.ordinals(run.owner)]
    assert run.names() == wanted
    assert all(map(is_ready, run.world.pods))
    partition = run.owner["spec"]["updateStrategy"]["rollingUpdate"]["partition"]
    version = run.owner["spec"]["template"]["spec"]["containers"][0]["image"]
    assert all(image == version for image in run.images()[partition:])


def _disturb(world: World, pod: Object, what: int) -> None:
    name = pod["metadata"]["name"]
    if is_terminating(pod):
        world.stop(name)
    elif what == 0:
        world.start(name)
    elif what == 1:
        world.end(name, "Failed")
    else:
        world.apply((Delete("pods", "default", name, pod["metadata"]["uid"]),))


@settings(max_examples=40, deadline=None)
@given(replicas=st.integers(1, 5), unavailable=st.sampled_from([None, 1, 2, 3, "50%"]), parallel=st.booleans())
def test_update_leaves_enough_pods_available(replicas: int, unavailable: int | str | None, parallel: bool) -> None:
    policy = "Parallel" if parallel else "OrderedReady"
    run = _at_rest(_set(replicas, podManagementPolicy=policy))
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable}}
    run.become(_set(replicas, image="db:2", podManagementPolicy=policy, updateStrategy=strategy))
    allowed = unavailable if isinstance(unavailable, int) else max(1, replicas // 2) if unavailable else 1
    for _ in range(60):
        run.step()
        available = [pod for pod in run.world.pods if is_available(pod, 0, now=NOW) and not is_terminating(pod)]
        assert len(available) >= replicas - allowed
        run.world.settle()
    assert run.images() == ["db:2"] * replicas
