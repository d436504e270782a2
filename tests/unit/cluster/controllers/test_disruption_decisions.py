"""How many pods an eviction may take, and what it is told."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.errors import ApiError
from remora.cluster.api.eviction import charged
from remora.cluster.controllers.actions import Update
from remora.cluster.controllers.disruption import decide
from remora.cluster.objects import Object
from tests.unit.cluster.controllers.workloads import NOW, deployment, pod, replicaset


def _budget(**spec: Any) -> Object:
    metadata = {"name": "web", "namespace": "default", "generation": 1}
    return {"metadata": metadata, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}, "status": {}}


def _counted(budget: Object, pods: list[Object], *, wanted: int = 4) -> Object:
    """The budget with the status that the controller gives it; the pods are those of a Deployment of `wanted`."""
    owner = deployment(wanted)

    def find_owner(obj: Mapping[str, Any]) -> Object | None:
        return {"Pod": replicaset(owner, wanted), "ReplicaSet": owner}.get(obj["kind"])

    for action in decide(budget, pods, find_owner, now=NOW).actions:
        assert isinstance(action, Update)
        return action.object
    return budget


def _pods(ready: int, unready: int = 0) -> list[Object]:
    return [pod(f"a{n}") for n in range(ready)] + [pod(f"b{n}", ready=False) for n in range(unready)]


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": "50%"}, 2, 2),
        ({"minAvailable": "60%"}, 3, 1),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 0}, 4, 0),
    ],
)
def test_budget_allows_what_is_beyond_the_wanted_number(spec: Object, desired: int, allowed: int) -> None:
    status = _counted(_budget(**spec), _pods(4))["status"]
    assert (status["desiredHealthy"], status["disruptionsAllowed"], status["expectedPods"]) == (desired, allowed, 4)
    assert status["conditions"][0]["reason"] == ("SufficientPods" if allowed else "InsufficientPods")


def test_eviction_uses_up_what_is_allowed_and_is_then_refused() -> None:
    first, second, *_ = pods = _pods(4)
    budget = charged(first, [_counted(_budget(minAvailable=3), pods)], now=NOW)
    assert budget is not None
    assert (budget["status"]["disruptionsAllowed"], list(budget["status"]["disruptedPods"])) == (0, ["a0"])
    with pytest.raises(ApiError) as refused:
        charged(second, [budget], now=NOW)
    assert (refused.value.status, refused.value.reason) == (429, "TooManyRequests")
    (cause,) = refused.value.to_wire()["details"]["causes"]
    assert cause == {
        "reason": "DisruptionBudget",
        "message": "The disruption budget web needs 3 healthy pods and has 4 currently",
    }
    assert _counted(budget, pods)["status"]["disruptionsAllowed"] == 0


def test_budget_that_was_not_looked_at_yet_refuses() -> None:
    with pytest.raises(ApiError, match="would violate"):
        charged(pod("a"), [_budget(minAvailable=1)], now=NOW)


@pytest.mark.parametrize(("policy", "others", "free"), [(None, 3, True), (None, 2, False), ("AlwaysAllow", 0, True)])
def test_unready_pod_goes_freely_while_the_others_suffice(policy: str | None, others: int, free: bool) -> None:
    broken = pod("broken", ready=False)
    budget = _counted(_budget(minAvailable=3, unhealthyPodEvictionPolicy=policy), [broken, *_pods(others)])
    if free:
        assert charged(broken, [budget], now=NOW) is None
    else:
        with pytest.raises(ApiError):
            charged(broken, [budget], now=NOW)


def test_pod_of_two_budgets_cannot_be_evicted() -> None:
    with pytest.raises(ApiError, match="more than one"):
        charged(pod("a"), [_budget(), _budget()], now=NOW)


def test_others_pods_and_finished_ones_cost_nothing() -> None:
    finished = pod("done")
    finished["status"]["phase"] = "Succeeded"
    assert charged(finished, [_budget(minAvailable=9)], now=NOW) is None
    assert charged(pod("other", labels={}), [_budget(minAvailable=9)], now=NOW) is None


@given(ready=st.integers(0, 8), unready=st.integers(0, 4), minimum=st.integers(0, 8), data=st.data())
def test_evictions_never_take_the_healthy_below_the_minimum(
    ready: int, unready: int, minimum: int, data: st.DataObject
) -> None:
    pods = _pods(ready, unready)
    budget = _counted(_budget(minAvailable=minimum), pods)
    left = list(pods)
    for victim in data.draw(st.permutations(pods)):
        try:
            budget = charged(victim, [budget], now=NOW) or budget
        except ApiError:
            continue
        left.remove(victim)
    healthy = sum(found["metadata"]["name"].startswith("a") for found in left)
    assert healthy >= min(ready, minimum)
