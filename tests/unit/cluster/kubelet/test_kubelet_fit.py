"""Which pods the one node takes, and what those are told that it does not take."""

from decimal import Decimal
from typing import Any

import pytest

from remora.cluster.addresses import NODE_NAME
from remora.cluster.kubelet.fit import Surroundings, why_not
from remora.cluster.kubelet.quantities import in_units, quantity, requested
from remora.cluster.kubelet.taints import leaves_after, taints_of
from remora.cluster.objects import Object

_HOST = "kubernetes.io/hostname"
_CORDONED = {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}
_NOWHERE = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


def _node(**spec: Any) -> Object:
    labels = {"kubernetes.io/os": "linux", _HOST: NODE_NAME, "generation": "4"}
    allocatable = {"cpu": "2", "memory": "4Gi", "pods": "3"}
    return {"metadata": {"name": NODE_NAME, "labels": labels}, "spec": spec, "status": {"allocatable": allocatable}}


def _pod(name: str = "web", *, requests: Object | None = None, **spec: Any) -> Object:
    container = {"name": "main", "resources": {"requests": requests or {}}}
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}}


def _affinity(*terms: Object) -> Object:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def _rule(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def _apart(kind: str, app: str) -> Object:
    term = {"topologyKey": _HOST, "labelSelector": {"matchLabels": {"app": app}}}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@pytest.mark.parametrize(
    ("pod", "node", "running", "reason"),
    [
        (_pod(), _node(), (), ""),
        (_pod(), _node(**_CORDONED), (), "1 node(s) were unschedulable"),
        (
            _pod(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]),
            _node(**_CORDONED),
            (),
            "",
        ),
        (
            _pod(),
            _node(taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]),
            (),
            "1 node(s) had untolerated taint(s)",
        ),
        (_pod(), _node(taints=[{"key": "dedicated", "effect": "PreferNoSchedule"}]), (), ""),
        (
            _pod(tolerations=[{"key": "dedicated", "value": "db"}]),
            _node(taints=[{"key": "dedicated", "value": "db", "effect": "NoExecute"}]),
            (),
            "",
        ),
        (_pod(nodeSelector={"disk": "fast"}), _node(), (), "1 node(s) didn't match Pod's node affinity/selector"),
        (_pod(affinity=_affinity(_rule("kubernetes.io/os", "In", "plan9"), _rule(_HOST, "Exists"))), _node(), (), ""),
        (
            _pod(affinity=_affinity(_rule("kubernetes.io/os", "In", "plan9"))),
            _node(),
            (),
            "1 node(s) didn't match Pod's node affinity/selector",
        ),
        (_pod(affinity=_affinity({})), _node(), (), "1 node(s) didn't match Pod's node affinity/selector"),
        (_pod(affinity=_affinity(_rule("generation", "Gt", "3"))), _node(), (), ""),
        (
            _pod(affinity=_affinity({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["other"]}]})),
            _node(),
            (),
            "1 node(s) didn't match Pod's node affinity/selector",
        ),
        (_pod(requests={"cpu": "3", "memory": "5Gi"}), _node(), (), "1 Insufficient cpu, 1 Insufficient memory"),
        (_pod(requests={"nvidia.com/gpu": "1"}), _node(), (), "1 Insufficient nvidia.com/gpu"),
        (_pod(requests={"cpu": "2"}), _node(), (), ""),
        (_pod(affinity=_apart("podAntiAffinity", "db")), _node(), (_pod("other"),), ""),
        (_pod(affinity=_apart("podAffinity", "db")), _node(), (), "1 node(s) didn't match pod affinity rules"),
        (_pod(affinity=_apart("podAffinity", "db")), _node(), (_pod("db"),), ""),
        (_pod(affinity=_apart("podAffinity", "web")), _node(), (), ""),
    ],
)
def test_node_takes_a_pod_or_the_scheduler_says_why_not(
    pod: Object, node: Object, running: tuple[Object, ...], reason: str
) -> None:
    told = f"0/1 nodes are available: {reason}. no new claims to deallocate, {_NOWHERE}" if reason else ""
    assert why_not(pod, Surroundings(node, running)) == told


@pytest.mark.parametrize(
    ("pod", "running", "reason"),
    [
        (_pod(requests={"cpu": "1500m"}), (_pod(requests={"cpu": "1"}),), "Insufficient cpu"),
        (_pod(), (_pod(), _pod(), _pod()), "Too many pods"),
        (_pod(affinity=_apart("podAntiAffinity", "db")), (_pod("db"),), "node(s) didn't match pod anti-affinity rules"),
        (
            _pod("db"),
            (_pod(affinity=_apart("podAntiAffinity", "db")),),
            "node(s) didn't satisfy existing pods anti-affinity rules",
        ),
    ],
)
def test_pod_that_others_keep_out_hears_that_none_is_evicted_for_it(
    pod: Object, running: tuple[Object, ...], reason: str
) -> None:
    told = why_not(pod, Surroundings(_node(), running))
    assert told.startswith(f"0/1 nodes are available: 1 {reason}. no new claims to deallocate, preemption: ")
    assert told.endswith("1 No preemption victims found for incoming pod.")


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ({"persistentVolumeClaim": {"claimName": "bound"}}, ""),
        (
            {"persistentVolumeClaim": {"claimName": "pending"}},
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
        ),
        (
            {"persistentVolumeClaim": {"claimName": "none"}},
            '0/1 nodes are available: persistentvolumeclaim "none" not found. not found',
        ),
        ({"ephemeral": {}}, '0/1 nodes are available: persistentvolumeclaim "web-data" not found. not found'),
    ],
)
def test_claims_come_before_everything_else(volume: Object, told: str) -> None:
    claims = {"bound": {"status": {"phase": "Bound"}}, "pending": {"status": {"phase": "Pending"}}}
    pod = _pod(volumes=[{"name": "data", **volume}])
    assert why_not(pod, Surroundings(_node(), find_claim=claims.get)) == told


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", "0.1"),
        ("1Gi", "1073741824"),
        ("1e3", "1000"),
        ("1E", "1000000000000000000"),
        (2, "2"),
        ("5k", "5000"),
        ("x", "0"),
    ],
)
def test_quantities_are_numbers(text: str | int, number: str) -> None:
    assert str(quantity(text).normalize().__format__("f")) == number


@pytest.mark.parametrize(
    ("text", "divisor", "told"), [("250m", None, "1"), ("250m", "1m", "250"), ("1Gi", "1Mi", "1024"), ("1500m", "0", "2")]
)
def test_resources_are_told_in_units_rounded_up(text: str, divisor: str | None, told: str) -> None:
    assert in_units(quantity(text), divisor) == told


def test_pod_asks_for_its_containers_together_or_its_largest_init_container() -> None:
    def part(cpu: str, **fields: Any) -> Object:
        return {"resources": {"requests": {"cpu": cpu}}, **fields}

    sidecar = part("100m", restartPolicy="Always")
    assert requested({"containers": [part("1"), part("2")], "initContainers": [part("1")]})["cpu"] == Decimal("3")
    assert requested({"containers": [part("1")], "initContainers": [sidecar, part("2")]})["cpu"] == Decimal("2.1")
    assert requested({"containers": [part("1")], "initContainers": [part("1"), sidecar]})["cpu"] == Decimal("1.1")
    assert requested({"containers": [{"resources": {"limits": {"cpu": "1"}}}], "overhead": {"cpu": "1"}})["cpu"] == Decimal("2")


_OUT = {"key": "out", "effect": "NoExecute"}


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        ([], 0),
        ([{"key": "out", "operator": "Exists"}], None),
        ([{"key": "out", "operator": "Exists", "tolerationSeconds": 30}], 30),
        ([{"operator": "Exists", "tolerationSeconds": 30}, {"key": "out", "operator": "Exists", "tolerationSeconds": 9}], 9),
        ([{"key": "other", "operator": "Exists"}], 0),
    ],
)
def test_taint_that_lets_nobody_run_sends_away_who_does_not_tolerate_it(
    tolerations: list[Object], seconds: float | None
) -> None:
    assert leaves_after(_pod(tolerations=tolerations), [_OUT]) == seconds
    assert leaves_after(_pod(tolerations=tolerations), [{**_OUT, "effect": "NoSchedule"}]) is None


def test_cordoned_node_is_tainted_while_it_is_cordoned() -> None:
    own = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": "now"}
    assert taints_of(_node(unschedulable=True, taints=[_OUT]), moment="now") == [_OUT, own]
    assert taints_of(_node(unschedulable=True, taints=[own]), moment="later") == [own]
    assert taints_of(_node(taints=[_OUT, own]), moment="now") == [_OUT]
    assert taints_of({"metadata": {"name": "bare"}}, moment="now") == []
