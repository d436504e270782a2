"""A controller that is told to stop under load: nobody's request is cut, and statuses follow."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.features.test_controller_end_to_end import Bench, Process, answers, bench, eventually
from tests.features.test_controller_end_to_end import _ingress as ingress
from tests.features.test_controller_end_to_end import _slice as endpoint_slice
from tests.support.proxy import http1_pod

__all__ = ["bench"]

POD = "controller-1"


class SlowPod:
    """Answers when it is allowed to; `waiting` says how many requests are there."""

    def __init__(self) -> None:
        self.waiting = 0
        self.go = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/slow":
            self.waiting += 1
            await self.go.wait()
        return web.Response(text="whole")


@pytest.fixture
async def slow(bench: Bench) -> AsyncIterator[SlowPod]:
    pod = SlowPod()
    async with http1_pod(pod.answer) as port:
        bench.api.put("endpointslices", endpoint_slice("slow", port))
        bench.api.put("ingresses", ingress("web", "web.test"))
        yield pod


def put_pod(bench: Bench, name: str) -> None:
    labels = {"app": "remora", "pod-template-hash": name}
    bench.api.put("pods", {"metadata": {"name": name, "namespace": "ingress-remora", "labels": labels}})


def address(bench: Bench) -> Any:
    return bench.api.objects["ingresses"]["shop", "web"].get("status", {}).get("loadBalancer", {}).get("ingress")


async def has_address(bench: Bench, controller: Process) -> None:
    await answers(controller, "web.test")

    async def written() -> bool:
        return bool(address(bench))

    await eventually(written)


async def test_no_request_is_cut_while_the_controller_goes(bench: Bench, slow: SlowPod) -> None:
    async with bench.controller("--shutdown-grace-period=5", "--post-shutdown-grace-period=1") as controller:
        await answers(controller, "web.test")
        stopping = asyncio.Event()
        statuses: list[int] = []

        async def visit() -> None:
            """As behind a load balancer, which sends nobody any more when it sees that the health check fails."""
            while not stopping.is_set():
                statuses.append((await controller.client.get("web.test"))[0])

        async def is_failing() -> bool:
            return (await controller.health("/healthz"))[0] == 500

        async def is_gone() -> bool:
            try:
                await controller.client.get("web.test")
            except aiohttp.ClientError:
                return True
            return False

        async with asyncio.TaskGroup() as tasks:
            for _ in range(8):
                tasks.create_task(visit())
            under_way = [tasks.create_task(controller.client.get("web.test", "/slow")) for _ in range(8)]
            async with asyncio.timeout(40):
                while slow.waiting < 8 or len(statuses) < 100:
                    await asyncio.sleep(0.01)
            controller.process.send_signal(signal.SIGTERM)
            await eventually(is_failing)
            before = len(statuses)
            async with asyncio.timeout(40):
                while len(statuses) < before + 20:  # they are served on
                    await asyncio.sleep(0.01)
            stopping.set()
            await eventually(is_gone)
            # Nobody is let in any more, and those who are in are waited for; so is the health check.
            assert controller.process.returncode is None
            assert (await controller.health("/healthz"))[0] == 500
            slow.go.set()
        assert set(statuses) == {200}
        assert [task.result()[0] for task in under_way] == [200] * 8
        assert await asyncio.wait_for(controller.process.wait(), 20) == 0


async def test_the_last_replica_takes_its_address_from_statuses(bench: Bench, slow: SlowPod) -> None:
    put_pod(bench, POD)
    async with bench.controller() as controller:
        await has_address(bench, controller)
        assert await controller.kill(signal.SIGTERM) == 0
    assert not address(bench)


async def test_a_replica_that_leaves_another_behind_leaves_statuses_alone(bench: Bench, slow: SlowPod) -> None:
    put_pod(bench, POD)
    put_pod(bench, "controller-2")
    async with bench.controller() as controller:
        await has_address(bench, controller)
        assert await controller.kill(signal.SIGTERM) == 0
    assert address(bench) == [{"ip": "127.0.0.1"}]


async def test_the_last_replica_leaves_statuses_alone_if_so_chosen(bench: Bench, slow: SlowPod) -> None:
    put_pod(bench, POD)
    async with bench.controller("--update-status-on-shutdown=false") as controller:
        await has_address(bench, controller)
        assert await controller.kill(signal.SIGTERM) == 0
    assert address(bench) == [{"ip": "127.0.0.1"}]
