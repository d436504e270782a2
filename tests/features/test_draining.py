"""Pods that are to get no new sessions: annotated, and waited for, with the whole controller and the real HAProxy."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence

from aiohttp import web

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AffinityMode
from tests.features.test_affinity import sticky_model
from tests.features.test_controller_end_to_end import STICKY, Bench, Process, _ingress, answers, bench, eventually
from tests.support.models import endpoint
from tests.support.proxy import Client, Pods

__all__ = ["bench"]  # the fixture

SESSIONS = 24
LIVE = 8
"""Seconds for which a session counts after its last request."""
TRACKED = {**STICKY, "remora.io/session-tracking": "true", "nginx.ingress.kubernetes.io/session-cookie-max-age": str(LIVE)}


async def visit(controller: Process, cookie: str = "") -> tuple[str, str]:
    """The pod, and the cookie to send next time."""
    status, headers, body = await controller.client.get("web.test", cookie=cookie)
    assert status == 200, body
    return str(json.loads(body)["pod"]), headers.get("set-cookie", "").partition(";")[0] or cookie


async def visits(controller: Process, sessions: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [await visit(controller, cookie) for _, cookie in sessions]


def annotate(bench: Bench, pod: str, **annotations: str) -> None:
    """Writes the pod's annotations, and takes all others away."""
    written = {f"remora.io/{name.replace('_', '-')}": text for name, text in annotations.items()}
    bench.api.put("pods", {"metadata": {"name": pod, "namespace": "shop", "uid": f"uid-{pod}", "annotations": written}})


async def is_told_to_drain(bench: Bench, controller: Process) -> None:
    async def drains() -> bool:
        _, text = await controller.health("/drain-wait?namespace=shop&pod=a&timeout=0")
        return "(draining)" in text

    await eventually(drains)


async def test_an_annotated_pod_keeps_its_sessions_and_new_ones_avoid_it(bench: Bench) -> None:
    await bench.set_pods("a", "b", "c")
    for pod in "abc":
        annotate(bench, pod, other="x")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        sessions = [await visit(controller) for _ in range(SESSIONS)]
        assert {pod for pod, _ in sessions} == {"a", "b", "c"}
        annotate(bench, "a", session_drain="true")
        await is_told_to_drain(bench, controller)
        assert await visits(controller, sessions) == sessions
        assert {(await visit(controller))[0] for _ in range(SESSIONS)} == {"b", "c"}
        annotate(bench, "a")

        async def is_back() -> bool:
            return (await visit(controller))[0] == "a"

        await eventually(is_back)
        assert await visits(controller, sessions) == sessions
        assert 'remora_reloads_total{reason="start"} 1.0' in (await controller.health("/metrics"))[1]


async def test_drain_wait_ends_with_the_last_session_of_the_pod(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=TRACKED))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        sessions = [await visit(controller) for _ in range(SESSIONS)]
        annotate(bench, "a", session_drain="true")
        await is_told_to_drain(bench, controller)
        there = [one for one in sessions if one[0] == "a"]
        status, text = await controller.health("/drain-wait?namespace=shop&pod=a&timeout=0")
        found = re.fullmatch(r"pod shop/a \(draining\): (\d+) live sessions, 0 connections\n", text)
        assert status == 409
        assert found
        # The first answer of all was a session too, on one of the pods.
        assert int(found[1]) - len(there) in (0, 1)
        url = f"http://127.0.0.1:{bench.health_port}"
        impatient = asyncio.create_task(drain_wait("a", "-n", "shop", "--timeout", "0", "--controller", url))
        while not impatient.done():
            assert await visit(controller, there[0][1]) == there[0]
            await asyncio.sleep(0.2)
        assert (await impatient)[0] == 3
        waiting = asyncio.create_task(drain_wait("a", "-n", "shop", "--timeout", "1m", "--controller", url))
        loop = asyncio.get_running_loop()
        last = loop.time()
        # One session goes on for longer than any of them is live without a request.
        for _ in range(LIVE + 2):
            await asyncio.sleep(1)
            assert await visit(controller, there[0][1]) == there[0]
            last = loop.time()
            assert not waiting.done()
        code, out, progress = await waiting
        assert loop.time() - last > LIVE - 2
        assert (code, out) == (0, "pod shop/a (draining): 0 live sessions, 0 connections\n")
        assert "1 live session, " in progress
        assert (await controller.health("/drain-wait?namespace=shop&pod=a&timeout=1m"))[0] == 200
        assert (await controller.health("/drain-wait?namespace=shop&pod=nobody&timeout=1m"))[0] == 404
        assert (await controller.health("/drain-wait?timeout=1m"))[0] == 400


async def test_untracked_sessions_are_said_to_be_unknown(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    annotate(bench, "a", session_drain="true")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        status, text = await controller.health("/drain-wait?namespace=shop&pod=a&timeout=1m")
        assert status == 200
        assert "do not track sessions (annotation remora.io/session-tracking)" in text


async def drain_wait(*arguments: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of the command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "remora",
        "drain-wait",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_requests_under_way_are_counted_also_in_a_worker_of_before_a_reload(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    let_go = asyncio.Event()

    async def hold(_: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response(text="done")

    application = web.Application()
    application.router.add_get("/", hold)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slow, other = endpoint("a", runner.addresses[0][1]), endpoint("b", await pods.start("b"))
    configurator = Configurator(proxy_settings)
    wanted = configurator.configure(sticky_model(AffinityMode.PERSISTENT, slow))
    await executor.apply(wanted)
    cookie = f"route={slow.key}|ad0f3520c2b4ae4ad7cae6da8d3345ed"
    asked = [asyncio.create_task(client.get("web.example", cookie=cookie)) for _ in range(3)]

    async def reads(number: int) -> bool:
        return await executor.readings.read_connections({slow.key}) == number

    await eventually(lambda: reads(3))
    assert await executor.readings.read_connections({other.key}) == 0
    await executor._reload(wanted, ("for the test",))
    assert await reads(3)
    let_go.set()
    assert [status for status, _, _ in await asyncio.gather(*asked)] == [200] * 3
    await eventually(lambda: reads(0))
    await runner.cleanup()
