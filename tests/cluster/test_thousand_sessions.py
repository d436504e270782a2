"""A thousand live sessions through what operations bring: rollouts, scaling 3 to 6 to 2, deleted and killed pods, edits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import aiohttp
import pytest

from remora.cli.api import Api
from remora.cli.demo.workload import PREFIX, Workload
from remora.cli.status import find_entry
from tests.cluster.terminal import Terminal
from tests.cluster.visitors import COOKIE, Visitor, ask_all, browser

SESSIONS = 1000
TOLERANCE = 0.06
"""How far the share that moves may be from the ideal one: three times what chance alone does with a thousand random keys and
random pods. That the ring itself stays within 3 points is shown in tests/unit/report/test_ring.py."""

APPLICATION = "/apis/apps/v1/namespaces/default/deployments/sticky-d"
INGRESS = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/sticky-d"


@dataclass
class Crowd:
    """The sessions of one test, and the application that they are at."""

    mode: str
    api: Api
    workload: Workload
    visitors: Sequence[Visitor]
    session: aiohttp.ClientSession

    async def look(self) -> list[str]:
        """Where every session is now; a failed request fails the test."""
        where = await ask_all(self.visitors, self.session)
        assert [failure for visitor in self.visitors for failure in visitor.failures] == []
        return where

    async def settle(self, count: int) -> set[str]:
        """Waits for so many pods, and returns their ids."""
        return set(await asyncio.to_thread(self.workload.wait_pods, count, within=60))

    async def scale(self, count: int) -> set[str]:
        await asyncio.to_thread(self.workload.scale, count)
        return await self.settle(count)

    async def edit(self, annotations: dict[str, str | None]) -> None:
        written = {f"{PREFIX}{name}": value for name, value in annotations.items()}
        await asyncio.to_thread(self.api.merge, INGRESS, {"metadata": {"annotations": written}})


@pytest.fixture(scope="module")
def application(cluster: Terminal) -> tuple[Api, Workload]:
    api = Api(cluster.home / "test" / "kubeconfig")
    workload = Workload(api)
    workload.deploy(3)
    return api, workload


@pytest.fixture
async def crowd(application: tuple[Api, Workload], request: pytest.FixtureRequest) -> AsyncIterator[Crowd]:
    api, workload = application
    mode = request.param
    await asyncio.to_thread(workload.scale, 3)
    await asyncio.to_thread(workload.wait_pods, 3, within=60)
    workload.stick(mode=mode, cookie=COOKIE)
    entry = find_entry(api.read("/api/v1/services")["items"])
    assert entry
    await asyncio.sleep(1)
    async with browser() as session:
        yield Crowd(mode, api, workload, [Visitor(entry) for _ in range(SESSIONS)], session)


def moved(before: Sequence[str], after: Sequence[str]) -> set[int]:
    """The sessions that are elsewhere now."""
    return {number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}


def those_at(where: Sequence[str], pods: set[str]) -> set[int]:
    return {number for number, pod in enumerate(where) if pod in pods}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("crowd", ["persistent"], indirect=True)
async def test_in_persistent_mode_exactly_the_sessions_of_pods_that_went_are_moved(crowd: Crowd) -> None:
    three = await crowd.settle(3)
    start = await crowd.look()
    assert set(start) == three

    await crowd.scale(6)
    assert moved(start, await crowd.look()) == set(), "scaled up"
    await crowd.edit({"session-cookie-max-age": "600", "session-cookie-samesite": "Lax", "rewrite-target": "/"})
    await asyncio.sleep(1)
    assert moved(start, await crowd.look()) == set(), "the Ingress was edited"
    await crowd.edit({"rewrite-target": None, "session-cookie-samesite": None})

    two = await crowd.scale(2)
    scaled = await crowd.look()
    assert moved(start, scaled) == those_at(start, three - two), "scaled down"
    assert set(scaled) <= two

    victim = min(two)
    name = (await asyncio.to_thread(crowd.workload.pods))[victim]
    await asyncio.to_thread(crowd.workload.delete_pod, name)
    await crowd.settle(2)
    deleted = await crowd.look()
    assert moved(scaled, deleted) == those_at(scaled, {victim}), "a pod was deleted"

    restart = {"kubectl.kubernetes.io/restartedAt": str(time.monotonic())}
    old = set(await asyncio.to_thread(crowd.workload.pods))
    template = {"spec": {"template": {"metadata": {"annotations": restart}}}}
    await asyncio.to_thread(crowd.api.merge, APPLICATION, template)
    while old & (new := await crowd.settle(2)):
        await asyncio.sleep(0.2)
    rolled = await crowd.look()
    assert moved(deleted, rolled) == set(range(SESSIONS)), "every pod was replaced"
    assert set(rolled) <= new
    assert moved(rolled, await crowd.look()) == set(), "and then they stay"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("crowd", ["balanced"], indirect=True)
async def test_in_balanced_mode_no_more_than_the_fair_share_moves(crowd: Crowd) -> None:
    three = await crowd.settle(3)
    start = await crowd.look()
    assert moved(start, await crowd.look()) == set()

    six = await crowd.scale(6)
    grown = await crowd.look()
    went = moved(start, grown)
    assert went == those_at(grown, six - three), "what moves, moves to the new pods"
    assert abs(len(went) / SESSIONS - 3 / 6) <= TOLERANCE

    await crowd.edit({"session-cookie-max-age": "600"})
    await asyncio.sleep(1)
    assert moved(grown, await crowd.look()) == set(), "the Ingress was edited"

    two = await crowd.scale(2)
    shrunk = await crowd.look()
    assert moved(grown, shrunk) == those_at(grown, six - two), "only those whose pod went"


GRACE = 8
"""Seconds for which the pods' preStop hook keeps them alive, in the test of their grace."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("crowd", ["persistent", "balanced"], indirect=True)
async def test_no_session_is_cut_before_the_grace_of_its_pod_ends(crowd: Crowd) -> None:
    lingering = {"name": "app", "lifecycle": {"preStop": {"sleep": {"seconds": GRACE}}}}
    template = {"metadata": {"annotations": {"restartedAt": str(time.monotonic())}}, "spec": {"containers": [lingering]}}
    old = set(await asyncio.to_thread(crowd.workload.pods))
    await asyncio.to_thread(
        crowd.api.request,
        "PATCH",
        APPLICATION,
        {"spec": {"template": template}},
        content_type="application/strategic-merge-patch+json",
    )
    while old & await crowd.settle(3):
        await asyncio.sleep(0.2)
    start = await crowd.look()

    pods = await asyncio.to_thread(crowd.workload.pods)
    victim = max(pods)
    held = those_at(start, {victim})
    clock = asyncio.get_running_loop().time
    begun = clock()
    await asyncio.to_thread(crowd.workload.delete_pod, pods[victim])
    some = sorted(held)[:50]  # a look at all of them may take a busy machine longer than the pod has
    looks = 0
    while True:
        where = await ask_all([crowd.visitors[number] for number in some], crowd.session)
        if clock() - begun > GRACE - 1:
            break
        assert where == [victim] * len(some), "the pod is leaving and keeps its sessions"
        looks += 1
    assert looks
    replacement = await crowd.settle(3) - set(pods)
    end = await crowd.look()
    assert held <= moved(start, end), "and then its sessions move"
    if crowd.mode == "persistent":
        assert held == moved(start, end), "and no others"
    else:
        assert moved(start, end) - held <= those_at(end, replacement), "and others only as the share of the pod that came"
