"""Rolling updates, step by step, with the promise checked at every one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.controllers.rollout import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Limits,
    available_of,
    is_scaling,
    limits,
    new_replicaset_size,
    old_replicaset_sizes,
    replicas_of,
    scaled_sizes,
    share,
)
from remora.cluster.objects import Object
from tests.unit.cluster.controllers.workloads import deployment, replicaset, rolling


@pytest.mark.parametrize(
    ("surge", "unavailable", "wanted"),
    [
        ("25%", "25%", Limits(10, 3, 2)),
        (1, 0, Limits(10, 1, 0)),
        (0, 0, Limits(10, 0, 1)),
        ("0%", "100%", Limits(10, 0, 10)),
        (2, 50, Limits(10, 2, 10)),
    ],
)
def test_surge_rounds_up_and_unavailability_down(surge: int | str, unavailable: int | str, wanted: Limits) -> None:
    assert limits(deployment(10, strategy=rolling(surge, unavailable))) == wanted


def test_recreate_allows_neither_surge_nor_unavailability() -> None:
    assert limits(deployment(4, strategy={"type": "Recreate"})) == Limits(4, 0, 0)


def test_share_of_a_number_is_the_number() -> None:
    assert share(7, 2, up=True) == 7


@given(
    replicas=st.integers(0, 12),
    surge=st.integers(0, 5),
    unavailable=st.integers(0, 5),
    broken=st.integers(0, 3),
    data=st.data(),
)
def test_rolling_update_keeps_its_bounds_at_every_step_and_comes_to_an_end(
    replicas: int, surge: int, unavailable: int, broken: int, data: st.DataObject
) -> None:
    owner = deployment(replicas, strategy=rolling(surge, unavailable))
    bounds = limits(owner)
    old_available = max(0, replicas - broken)
    old = replicaset(owner, replicas, name="old", available=old_available)
    new = replicaset(owner, 0, name="new")
    floor = min(bounds.min_available, old_available)
    for _ in range(200):
        size = new_replicaset_size(bounds, [old, new], current=replicas_of(new), recreate=False)
        shrunk = old_replicaset_sizes(bounds, new, [old])
        assert size + replicas_of(old) <= max(bounds.max_total, replicas)
        new = replicaset(owner, size, name="new", available=_some(data, available_of(new), size))
        keep = shrunk.get("old", replicas_of(old))
        # The ReplicaSet controller takes pods that are not ready first.
        old = replicaset(owner, keep, name="old", available=min(keep, available_of(old)))
        assert available_of(old) + available_of(new) >= floor
        if replicas_of(old) == 0 and available_of(new) == replicas:
            return
        new = replicaset(owner, size, name="new")
    raise AssertionError("the rollout did not come to an end")


def _some(data: st.DataObject, low: int, high: int) -> int:
    return data.draw(st.integers(min(low, high), high))


def test_unavailable_old_pods_go_first_and_cost_nothing() -> None:
    owner = deployment(3, strategy=rolling(1, 0))
    broken, good = replicaset(owner, 1, name="broken", available=0), replicaset(owner, 3, name="good")
    new = replicaset(owner, 0, name="new")
    assert old_replicaset_sizes(limits(owner), new, [broken, good]) == {"broken": 0}


def _sized(found: Object, desired: int, most: int) -> Object:
    annotations = {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(most)}
    return {**found, "metadata": {**found["metadata"], "annotations": annotations}}


def test_scaling_during_a_rollout_is_in_proportion() -> None:
    owner = deployment(20, strategy=rolling(3, 0))
    old = _sized(replicaset(owner, 8, name="old"), 10, 13)
    new = _sized(replicaset(owner, 5, name="new", available=0), 10, 13)
    assert is_scaling(owner, [old, new])
    assert scaled_sizes(owner, limits(owner), new, [old]) == {"old": 14, "new": 9}


@given(before=st.integers(1, 30), after=st.integers(0, 30), split=st.integers(1, 29), surge=st.integers(0, 5))
def test_scaled_rollout_never_exceeds_its_maximum(before: int, after: int, split: int, surge: int) -> None:
    owner = deployment(after, strategy=rolling(surge, 1))
    first = min(split, before)
    old = _sized(replicaset(owner, first, name="old"), before, before + surge)
    new = _sized(replicaset(owner, max(1, before - first), name="new", available=0), before, before + surge)
    found = scaled_sizes(owner, limits(owner), new, [old])
    assert sum(found.values()) == (after + surge if after else 0)
    assert all(size >= 0 for size in found.values())


def test_single_replicaset_takes_the_whole_size() -> None:
    owner = deployment(7)
    assert scaled_sizes(owner, limits(owner), replicaset(owner, 3), []) == {"web-a": 7}
