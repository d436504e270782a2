"""A hundred clients, two requests a second each, while pods are deleted, the Deployment is scaled and the Ingress edited."""

import asyncio
import time

import aiohttp
import pytest

from remora.cli.api import Api
from remora.cli.demo.workload import Workload
from remora.cli.status import find_entry
from tests.cluster.terminal import Terminal
from tests.cluster.visitors import COOKIE, Visitor, browser

CLIENTS = 100
RATE = 2.0
"""Requests a second of each client."""
INGRESS = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/sticky-d"
PREFIX = "nginx.ingress.kubernetes.io/"


async def visit(visitor: Visitor, session: aiohttp.ClientSession, start: float) -> None:
    """Asks again and again, at the rate of the test."""
    await asyncio.sleep(start)
    while True:
        begun = time.monotonic()
        await visitor.ask(session)
        await asyncio.sleep(max(0.0, 1 / RATE - (time.monotonic() - begun)))


def edit(api: Api, annotations: dict[str, str | None]) -> None:
    api.merge(INGRESS, {"metadata": {"annotations": {f"{PREFIX}{name}": value for name, value in annotations.items()}}})


def churn(api: Api, workload: Workload) -> set[str]:
    """Everything that a day of operations brings, in twenty seconds; returns the pods that there ever were."""
    ever: set[str] = set()

    def wait(count: int) -> dict[str, str]:
        pods = workload.wait_pods(count, within=60)
        ever.update(pods)
        return pods

    pods = wait(4)
    for name in list(pods.values())[:2]:
        workload.delete_pod(name)
        time.sleep(0.5)
        edit(api, {"session-cookie-max-age": "600"})
        wait(4)
    workload.scale(6)
    edit(api, {"session-cookie-samesite": "Lax"})
    wait(6)
    edit(api, {"rewrite-target": "/"})
    time.sleep(1)
    edit(api, {"rewrite-target": None, "app-root": None})
    workload.scale(3)
    wait(3)
    workload.delete_pod(next(iter(workload.pods().values())))
    wait(3)
    workload.scale(5)
    wait(5)
    return ever


@pytest.mark.timeout(150)
async def test_no_request_fails_and_no_session_moves_unless_its_pod_is_gone(cluster: Terminal) -> None:
    api = Api(cluster.home / "test" / "kubeconfig")
    workload = Workload(api)
    await asyncio.to_thread(workload.deploy, 4)
    await asyncio.to_thread(workload.wait_pods, 4, within=60)
    workload.stick(mode="persistent", cookie=COOKIE)
    entry = find_entry(api.read("/api/v1/services")["items"])
    assert entry
    await asyncio.sleep(1)
    visitors = [Visitor(entry) for _ in range(CLIENTS)]
    async with browser() as session:
        load = [asyncio.create_task(visit(visitor, session, number / CLIENTS)) for number, visitor in enumerate(visitors)]
        await asyncio.sleep(2)
        ever = await asyncio.to_thread(churn, api, workload)
        await asyncio.sleep(2)
        left = await asyncio.to_thread(workload.pods)
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)
    failures = [failure for visitor in visitors for failure in visitor.failures]
    requests = sum(visitor.requests for visitor in visitors)
    assert failures == [], f"{len(failures)} of {requests} requests"
    assert requests > CLIENTS * RATE * 5
    gone = ever - left.keys()
    left_behind = [(visitor.met, visitor.missed - gone) for visitor in visitors if not visitor.missed <= gone]
    assert left_behind == [], f"sessions moved although their pod was there; of {sorted(ever)} there are {left}"
    assert len(gone) >= 5
