"""From ingress-nginx to Remora with the sample cluster: plan, shadow, compare, switch; no session breaks, no request fails."""

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from remora.cli.switching import Wish, run_switch
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings
from remora.migrate.switch import Check, Direction, State, class_of
from tests.features.migration_scene import ENTRY, NEW_LABELS, OLD_LABELS, Scene, pod_of, scene

HOSTS = {"shop.example": "SHOPID", "cart.example": "CARTID", "spa.example": "SPAID", "legacy.example": "LEGACYID"}


@pytest.fixture
async def sample(tmp_path: Path, proxy_settings: ProxySettings) -> AsyncIterator[Scene]:
    async with scene(tmp_path, proxy_settings) as found:
        yield found


class Clients:
    """Clients that began their sessions at the old controller and never stop asking through the entry."""

    def __init__(self, sample: Scene) -> None:
        self.answers = 0
        self.wrong: list[str] = []
        self._sample = sample

    async def run(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as tasks:
            for host, cookie in HOSTS.items():
                for _ in range(2):
                    tasks.create_task(self._visit(session, host, cookie))

    async def _visit(self, session: aiohttp.ClientSession, host: str, name: str) -> None:
        pod, cookie = "", ""
        while True:
            headers = {"Host": host} | ({"Cookie": cookie} if cookie else {})
            try:
                async with session.get(f"http://127.0.0.1:{self._sample.entry_port}/", headers=headers) as response:
                    body = await response.text()
            except aiohttp.ClientError as error:
                self.wrong.append(f"{host}: {error!r}")
                continue
            if response.status != 200 or (pod and pod_of(body) != pod):
                self.wrong.append(f"{host}: {response.status} {body}, was with {pod}")
                continue
            pod = pod_of(body)
            for text in response.headers.getall("Set-Cookie", []):
                if text.startswith(f"{name}="):
                    cookie = text.partition(";")[0]
            self.answers += 1
            await asyncio.sleep(0.05)


def wish(sample: Scene, **more: Any) -> Wish:
    service = NamespacedName("ingress-nginx", "ingress-nginx-controller")
    usual: dict[str, Any] = {
        "by_class": False,
        "service": service,
        "selector": NEW_LABELS,
        "kubeconfig": str(sample.api.kubeconfig),
    }
    return Wish(**usual | {"watch": 0.5, "interval": 0.05, "controller": sample.health} | more)


async def test_clients_move_from_plan_to_switch_and_notice_nothing(sample: Scene) -> None:
    reach = ["--kubeconfig", str(sample.api.kubeconfig)]
    plan = ["migrate", "plan", "--cluster", *reach, "-o", "json", "--rewrite", "--write", str(sample.directory / "remora")]
    address = f"127.0.0.1:{sample.entry_port}"
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session, AsyncExitStack() as stack:
        clients = Clients(sample)
        visiting = asyncio.create_task(clients.run(session))
        stack.push_async_callback(asyncio.wait, (visiting,))
        stack.callback(visiting.cancel)
        before = (await sample.read("/apis/networking.k8s.io/v1/ingresses"))["items"]
        async with sample.shadow():
            code, said, error = await sample.remora(*plan)
            assert code == 0, (said, error)
            planned = json.loads(said)
            assert len(planned["ingresses"]) == 30
            assert planned["controller"]["workload"] == "Deployment ingress-nginx/ingress-nginx-controller"
            assert "+  ingressClassName: nginx\n" in planned["diff"]
            assert {path.name for path in (sample.directory / "remora").iterdir()} >= {
                "shadow.yaml",
                "steps.md",
                "ingresses.diff",
            }

            result = sample.directory / "comparison.json"
            new = f"127.0.0.1:{sample.settings.http_port}"
            code, said, error = await sample.remora(
                "migrate", "compare", "--cluster", *reach, "--old", address, "--new", new, "-o", "json", "--sessions=2"
            )
            result.write_text(said)
            compared = json.loads(said)
            unexpected = [one for one in compared["differences"] if not one["expected"]]
            assert code == 0, "\n".join(f"{one['request']}: {one['what']}: {one['old']} / {one['new']}" for one in unexpected)
            assert compared["requests"] > 200
            assert compared["sessions"] > 20
            assert compared["unknown_pods"] == 0

            old_requests, answers = sample.old.requests, clients.answers
            code, said, error = await sample.remora_process(
                "migrate", "switch", *reach, "--comparison", str(result), "--controller", sample.health,
                "--watch=1.5", "--interval=0.3", "-o", "json",
            )  # fmt: skip
            assert code == 0, error
            assert json.loads(said)["state"] == "moved"
            service = await sample.read(ENTRY)
            assert service["spec"]["selector"] == NEW_LABELS
            at_switch = sample.old.requests
            assert at_switch > old_requests

            async def served(number: int) -> None:
                async with asyncio.timeout(30):
                    while clients.answers < number:
                        await asyncio.sleep(0.02)

            await served(max(answers, clients.answers) + 20)
            assert sample.old.requests == at_switch, "the old controller has nothing to do any more"

            assert (await run_switch(wish(sample, direction=Direction.BACK), [], print)).code == 0
            assert (await sample.read(ENTRY))["spec"]["selector"] == OLD_LABELS
            await served(clients.answers + 20)
            assert sample.old.requests > at_switch
            visiting.cancel()
            await asyncio.wait((visiting,))
    assert clients.wrong == []
    assert (await sample.read("/apis/networking.k8s.io/v1/ingresses"))["items"] == before, "a shadow writes no status"
    assert not (await sample.read("/api/v1/events"))["items"]
    assert not (await sample.read("/apis/coordination.k8s.io/v1/leases"))["items"]


async def test_a_switch_goes_back_by_itself_when_errors_rise(sample: Scene) -> None:
    async with counting(sample, 'remora_requests_total{code="503"}') as counters:
        end = await asyncio.create_task(run_switch(wish(sample, watch=60.0), [], counters.append))
    assert (end.code, end.state) == (4, State.BEFORE)
    assert end.said.startswith("went back: 100.0% of ")
    service = await sample.read(ENTRY)
    assert service["spec"]["selector"] == OLD_LABELS
    assert "annotations" not in service["metadata"] or not service["metadata"]["annotations"]


async def test_a_switch_goes_back_by_itself_when_sessions_break(sample: Scene) -> None:
    async with counting(sample, 'remora_sessions_broken_total{reason="gone"}') as counters:
        end = await run_switch(wish(sample, watch=60.0), [], counters.append)
    assert (end.code, end.state) == (4, State.BEFORE)
    assert "sessions were broken, 0 are allowed" in end.said


async def test_a_switch_whose_controller_falls_silent_goes_back(sample: Scene) -> None:
    said: list[str] = []
    end = await run_switch(wish(sample), [], said.append)
    assert (end.code, end.state) == (3, State.BEFORE)
    assert any(text.startswith("NOT MET: metrics: no controller answers") for text in said)
    end = await run_switch(wish(sample, watch=60.0, accepted=frozenset(("metrics",))), [], print)
    assert (end.code, end.state) == (4, State.BEFORE)


async def test_an_unmet_check_moves_nothing_unless_it_is_accepted(sample: Scene) -> None:
    checks = [Check("comparison", False, "nothing was compared")]
    end = await run_switch(wish(sample), checks, print)
    assert (end.code, end.state) == (3, State.BEFORE)
    async with counting(sample, 'remora_requests_total{code="200"}'):
        end = await run_switch(wish(sample, accepted=frozenset(("comparison",))), checks, print)
        assert (end.code, end.state) == (0, State.MOVED)
        # Again: nothing is left to do, and it is watched once more.
        said: list[str] = []
        end = await run_switch(wish(sample), [], said.append)
    assert (end.code, end.state) == (0, State.MOVED)
    assert said[0] == "everything is moved: Remora serves"


async def test_a_dry_run_shows_each_step_and_changes_nothing(sample: Scene) -> None:
    before = (await sample.read(ENTRY))["metadata"]["resourceVersion"]
    said: list[str] = []
    end = await run_switch(wish(sample, dry_run=True), [], said.append)
    assert (end.code, end.state) == (0, State.BEFORE)
    assert any(text.startswith("would lead Service ingress-nginx/ingress-nginx-controller to pods with") for text in said)
    assert (await sample.read(ENTRY))["metadata"]["resourceVersion"] == before


async def test_an_interrupted_switch_by_class_says_where_it_is_and_goes_on_later(sample: Scene) -> None:
    async with counting(sample, 'remora_requests_total{code="200"}'):
        moved: list[str] = []

        def interrupt(text: str) -> None:
            moved.append(text)
            if sum(1 for one in moved if one.startswith("give Ingress")) == 5:
                os.kill(os.getpid(), signal.SIGINT)

        end = await run_switch(wish(sample, by_class=True), [], interrupt)
        assert (end.code, end.state) == (130, State.BETWEEN)
        classes = await _classes(sample)
        assert 5 <= classes.count("remora") < 30
        end = await run_switch(wish(sample, by_class=True), [], print)
        assert (end.code, end.state) == (0, State.MOVED)
        assert set(await _classes(sample)) == {"remora"}
        end = await run_switch(wish(sample, by_class=True, direction=Direction.BACK), [], print)
        assert (end.code, end.state) == (0, State.BEFORE)
    ingresses = (await sample.read("/apis/networking.k8s.io/v1/ingresses"))["items"]
    assert [class_of(one) for one in ingresses] == ["nginx"] * 30
    office = next(one for one in ingresses if one["metadata"]["name"] == "office")
    assert "ingressClassName" not in office["spec"], "it is named as it was before"


async def _classes(sample: Scene) -> list[str]:
    ingresses = (await sample.read("/apis/networking.k8s.io/v1/ingresses"))["items"]
    return [class_of(one) for one in ingresses]


@asynccontextmanager
async def counting(sample: Scene, metric: str) -> AsyncIterator[list[str]]:
    """A controller's health port whose counter grows with every look."""
    looks = itertools.count(100, 100)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"# TYPE x counter\n{metric} {next(looks)}.0\n")

    application = web.Application()
    application.router.add_get("/metrics", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", sample.health_port).start()
    try:
        yield []
    finally:
        await runner.cleanup()
