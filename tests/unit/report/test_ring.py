"""What HAProxy's ring does to sessions when pods come and go. That the ring is HAProxy's is shown against a real one."""

import pytest

from remora.haproxy.configuration import Server, ServerName, server_id
from remora.report.ring import owner_on, ring_points

KEYS = [f"{number:032x}" for number in range(400)]


def servers(*names: str) -> list[Server]:
    return [Server(ServerName(name), "10.0.0.1", 80, server_id(name)) for name in names]


def owners(names: tuple[str, ...]) -> list[str]:
    points = ring_points(servers(*names))
    return [str(owner.name) for key in KEYS if (owner := owner_on(points, key))]


@pytest.mark.parametrize(("before", "after"), [(3, 4), (3, 6), (2, 3)])
def test_pods_that_come_take_their_share_of_the_sessions_and_three_points_more_at_most(before: int, after: int) -> None:
    shares = []
    for cluster in range(5):
        names = tuple(f"pod-{cluster}-{number}" for number in range(after))
        old, new = owners(names[:before]), owners(names)
        moved = [where for was, where in zip(old, new, strict=True) if was != where]
        assert set(moved) <= set(names[before:]), "what moves, moves to the new pods"
        shares.append(len(moved) / len(KEYS))
    assert sum(shares) / len(shares) <= (after - before) / after + 0.03


def test_when_a_pod_goes_only_its_own_sessions_move() -> None:
    names = ("a", "b", "c", "d")
    old, new = owners(names), owners(names[:-1])
    assert all(was == where for was, where in zip(old, new, strict=True) if was != "d")
