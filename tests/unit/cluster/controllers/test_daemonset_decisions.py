"""DaemonSets: a pod on every node that takes it, replaced as the strategy says."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from remora.cluster.controllers import history
from remora.cluster.controllers.daemonplacement import Placement, node_of, placement
from remora.cluster.controllers.daemonset import DAEMONSETS, decide
from remora.cluster.objects import Object, is_ready, is_terminating, labels_of
from tests.unit.cluster.controllers.workloads import NOW, deployment, rolling
from tests.unit.cluster.controllers.world import World


def _daemons(*, image: str = "agent:1", pod: Object | None = None, **spec: Any) -> Object:
    made = deployment(image=image, **spec)
    del made["spec"]["replicas"]
    made["spec"]["template"]["spec"] |= pod or {}
    return {**made, "kind": "DaemonSet", "metadata": {**made["metadata"], "name": "agent"}}


def _node(name: str = "one", **spec: Any) -> Object:
    return {"metadata": {"name": name, "labels": {"disk": "ssd"}}, "spec": spec}


class Run:
    def __init__(self, owner: Object, *nodes: Object) -> None:
        self.world = World()
        self.nodes = nodes or (_node(),)
        self.become(owner)

    def become(self, owner: Object) -> None:
        before = self.world.objects.get(DAEMONSETS, {}).get("agent", {})
        self.world.objects[DAEMONSETS] = {"agent": {**owner, "status": before.get("status", {})}}

    @property
    def status(self) -> Object:
        return dict(self.world.objects[DAEMONSETS]["agent"]["status"])

    def step(self) -> None:
        owner = self.world.objects[DAEMONSETS]["agent"]
        self.world.apply(decide(owner, self.world.pods, self.world.of(history.REVISIONS), self.nodes, now=NOW).actions)

    def rest(self) -> None:
        for _ in range(40):
            self.step()
            self.world.settle()
        self.step()

    def images(self) -> list[str]:
        return [pod["spec"]["containers"][0]["image"] for pod in self.world.pods]


def test_every_node_gets_a_pod_that_may_stay_there() -> None:
    run = Run(_daemons(), _node("one"), _node("two"))
    run.rest()
    assert sorted(map(node_of, run.world.pods)) == ["one", "two"]
    assert {"node.kubernetes.io/unschedulable", "node.kubernetes.io/not-ready"} <= {
        toleration["key"] for toleration in run.world.pods[0]["spec"]["tolerations"]
    }
    wanted = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberReady": 2, "updatedNumberScheduled": 2}
    assert wanted.items() <= run.status.items()
    hash_ = labels_of(run.world.of(history.REVISIONS)[0])[history.POD_LABEL]
    assert labels_of(run.world.pods[0])[history.POD_LABEL] == hash_


def test_node_is_chosen_by_selector_affinity_and_taints() -> None:
    other = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["ssd"]}]}
    ]}}}  # fmt: skip
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    tolerated = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
    yes, no, stays = Placement(True, True), Placement(False, False), Placement(False, True)
    assert placement(_daemons(), _node(unschedulable=True)) == yes
    assert placement(_daemons(pod={"nodeSelector": {"disk": "ssd"}}), _node()) == yes
    assert placement(_daemons(pod={"nodeSelector": {"disk": "hdd"}}), _node()) == no
    assert placement(_daemons(pod={"affinity": other}), _node()) == no
    assert placement(_daemons(), _node(taints=[taint])) == stays
    assert placement(_daemons(), _node(taints=[{**taint, "effect": "NoExecute"}])) == no
    assert placement(_daemons(pod={"tolerations": tolerated}), _node(taints=[taint])) == yes


def test_pod_is_replaced_where_it_is() -> None:
    run = Run(_daemons())
    run.rest()
    run.become(_daemons(image="agent:2"))
    for _ in range(3):
        run.step()
    assert [is_terminating(pod) for pod in run.world.pods] == [True]
    run.rest()
    assert run.images() == ["agent:2"]


def test_surge_keeps_the_old_pod_until_the_new_one_is_available() -> None:
    strategy = rolling(1, 0)
    run = Run(_daemons(updateStrategy=strategy))
    run.rest()
    run.become(_daemons(image="agent:2", updateStrategy=strategy))
    for _ in range(3):
        run.step()
    assert sorted(run.images()) == ["agent:1", "agent:2"]
    assert not any(map(is_terminating, run.world.pods))
    run.rest()
    assert run.images() == ["agent:2"]


def test_pods_are_replaced_only_when_deleted_if_the_strategy_says_so() -> None:
    run = Run(_daemons())
    run.rest()
    run.become(_daemons(image="agent:2", updateStrategy={"type": "OnDelete"}))
    run.rest()
    assert run.images() == ["agent:1"]
    assert "updatedNumberScheduled" not in run.status


def test_daemon_that_ended_begins_again() -> None:
    run = Run(_daemons())
    run.rest()
    run.world.end(run.world.pods[0]["metadata"]["name"], "Succeeded")
    run.rest()
    assert all(map(is_ready, run.world.pods))
    assert len(run.world.pods) == 1


@settings(max_examples=40, deadline=None)
@given(nodes=st.integers(1, 4), surge=st.integers(0, 2), unavailable=st.integers(0, 3))
def test_update_leaves_enough_nodes_served_and_ends(nodes: int, surge: int, unavailable: int) -> None:
    places = [_node(f"n{number}") for number in range(nodes)]
    strategy = rolling(surge, 0 if surge else unavailable)
    run = Run(_daemons(updateStrategy=strategy), *places)
    run.rest()
    run.become(_daemons(image="agent:2", updateStrategy=strategy))
    allowed = 0 if surge else max(1, unavailable)
    for _ in range(30):
        run.step()
        served = {node_of(pod) for pod in run.world.pods if is_ready(pod) and not is_terminating(pod)}
        assert len(served) >= nodes - allowed
        assert len(run.world.pods) <= nodes + surge
        run.world.settle()
    assert run.images() == ["agent:2"] * nodes
