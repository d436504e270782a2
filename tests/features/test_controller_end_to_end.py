"""`remora controller` as a process of its own, against a small API server and with a real HAProxy."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from tests.support.api import FakeApi, running_api
from tests.support.dns import dns_server
from tests.support.proxy import Client, Pods, free_ports
from tests.support.rights import granted

DEADLINE = 40.0
STICKY = {
    "nginx.ingress.kubernetes.io/affinity": "cookie",
    "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
    "nginx.ingress.kubernetes.io/session-cookie-name": "stick",
}


class Process:
    """The controller, with a way to reach its proxy and its health port."""

    def __init__(
        self, process: asyncio.subprocess.Process, client: Client, session: aiohttp.ClientSession, health: str
    ) -> None:
        self.process = process
        self.client = client
        self._session = session
        self._health = health

    async def health(self, path: str) -> tuple[int, str]:
        """Status and text; 0 if nobody answers."""
        try:
            async with self._session.get(self._health + path) as response:
                return response.status, await response.text()
        except aiohttp.ClientError:
            return 0, ""

    async def kill(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), DEADLINE)


class Bench:
    """What a test needs: an API with a Service of some pods, and the starting of controllers."""

    def __init__(self, api: FakeApi, pods: Pods, settings: ProxySettings) -> None:
        self.api = api
        self.pods = pods
        self.settings = settings
        self.health_port = free_ports(1)[0]
        self.ports: dict[str, int] = {}

    async def set_pods(self, *names: str) -> None:
        for name in names:
            if name not in self.ports:
                self.ports[name] = await self.pods.start(name)
        for name, port in self.ports.items():
            if name in names:
                self.api.put("endpointslices", _slice(name, port))
            elif ("shop", f"web-{name}") in self.api.objects["endpointslices"]:
                self.api.remove("endpointslices", "shop", f"web-{name}")

    def kubeconfig(self) -> Path:
        path = Path(self.settings.state_directory) / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "current-context": "fake",
                    "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                    "clusters": [{"name": "fake", "cluster": {"server": self.api.url}}],
                    "users": [{"name": "fake", "user": {"token": "secret"}}],
                }
            )
        )
        return path

    @asynccontextmanager
    async def controller(self, *flags: str, pod: str = "controller-1") -> AsyncIterator[Process]:
        arguments = [
            f"--kubeconfig={self.kubeconfig()}",
            f"--state-dir={self.settings.state_directory}",
            f"--http-port={self.settings.http_port}",
            f"--https-port={self.settings.https_port}",
            f"--healthz-port={self.health_port}",
            "--bind-address=127.0.0.1",
            "--threads=1",
            "--publish-status-address=127.0.0.1",
            *flags,
        ]
        log = Path(self.settings.state_directory) / "controller.log"
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "remora",
                "controller",
                *arguments,
                stderr=output,
                env={**os.environ, "POD_NAMESPACE": "ingress-remora", "POD_NAME": pod},
            )
        # A client that stays connected would be waited for when HAProxy stops.
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
            running = Process(process, Client(session, self.settings), session, f"http://127.0.0.1:{self.health_port}")
            try:
                yield running
            except BaseException:
                print(log.read_text())
                raise
            finally:
                await _end(process)


@pytest.fixture
async def bench(pods: Pods, proxy_settings: ProxySettings) -> AsyncIterator[Bench]:
    async with running_api() as api:
        api.put("ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
        service = {"ports": [{"port": 80, "name": "http", "targetPort": 8080}]}
        api.put("services", {"metadata": {"name": "web", "namespace": "shop"}, "spec": service})
        api.may = granted()
        yield Bench(api, pods, proxy_settings)
        assert api.denied == [], "the manifest grants what the controller asks for"
        # What a killed controller has left behind.
        await Executor(proxy_settings).stop(grace=0.0)


async def _end(process: asyncio.subprocess.Process) -> None:
    for ask in (process.terminate, process.terminate, process.kill):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                ask()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 5)


def _slice(pod: str, port: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"web-{pod}", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": ["127.0.0.1"], "targetRef": {"kind": "Pod", "name": pod, "uid": f"uid-{pod}"}}],
    }


def _ingress(name: str, host: str, *, annotations: dict[str, str] | None = None, service: str = "web") -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    meta = {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"ingressClassName": "nginx", "rules": [rule]}}


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await check():
            await asyncio.sleep(0.02)


async def answers(controller: Process, host: str, status: int = 200) -> None:
    async def check() -> bool:
        try:
            return (await controller.client.get(host))[0] == status
        except aiohttp.ClientError:
            return False

    await eventually(check)


async def test_an_ingress_becomes_a_sticky_route_with_status_event_and_metrics(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        _, headers, body = await controller.client.get("web.test")
        cookie = headers["set-cookie"].partition(";")[0]
        pod = json.loads(body)["pod"]
        for _ in range(4):
            assert json.loads((await controller.client.get("web.test", cookie=cookie))[2])["pod"] == pod

        await bench.set_pods("b" if pod == "a" else "a")

        async def moved() -> bool:
            now: str = json.loads((await controller.client.get("web.test", cookie=cookie))[2])["pod"]
            return bool(now != pod)

        await eventually(moved)
        assert (await controller.health("/readyz")) == (200, "ok")

        async def has_told() -> bool:
            ingress = bench.api.objects["ingresses"]["shop", "web"]
            reasons = [event["reason"] for event in bench.api.objects["events"].values()]
            address = ingress.get("status", {}).get("loadBalancer", {}).get("ingress")
            return bool(address == [{"ip": "127.0.0.1"}]) and "Sync" in reasons

        await eventually(has_told)
        _, metrics = await controller.health("/metrics")
        wanted = 'remora_requests_total{code="200",host="web.test",ingress="web",namespace="shop",path="/"}'
        assert any(line.startswith(wanted) for line in metrics.splitlines()), metrics
        assert 'remora_reloads_total{reason="start"} 1.0' in metrics
        assert ("ingress-remora", "remora-session-key") in bench.api.objects["secrets"]
        assert await controller.kill(signal.SIGTERM) == 0
        with pytest.raises(aiohttp.ClientError):
            await controller.client.get("web.test")


async def test_a_killed_controller_leaves_traffic_alone_and_the_next_one_adopts_it(bench: Bench) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test"))
    async with bench.controller() as first:
        await answers(first, "web.test")
        await first.kill(signal.SIGKILL)
        assert (await first.client.get("web.test"))[0] == 200
    bench.api.put("ingresses", _ingress("late", "late.test"))
    async with bench.controller() as second:
        await answers(second, "late.test")
        _, metrics = await second.health("/metrics")
        assert "remora_reloads_total{" not in metrics
        assert await second.kill(signal.SIGINT) == 0


async def test_one_bad_ingress_costs_only_itself_and_says_so_in_an_event(bench: Bench) -> None:
    await bench.set_pods("a")
    bad = _ingress("bad", "bad.test")
    bad["spec"]["rules"] = "none of your business"
    bench.api.put("ingresses", bad)
    bench.api.put("ingresses", _ingress("web", "web.test"))
    bench.api.put("ingresses", _ingress("lost", "lost.test", service="missing"))
    async with bench.controller() as controller:
        await answers(controller, "web.test")

        async def told() -> bool:
            events = bench.api.objects["events"].values()
            about = {event["involvedObject"]["name"] for event in events if event["type"] == "Warning"}
            return {"bad", "lost"} <= about

        await eventually(told)
        assert 'remora_problems{code="Unreadable",namespace="shop"} 1.0' in (await controller.health("/metrics"))[1]


async def test_it_serves_on_while_the_api_is_away_and_follows_again_afterwards(bench: Bench) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test"))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        port = int(bench.api.url.rpartition(":")[2])
        await bench.api.stop()
        assert (await controller.client.get("web.test"))[0] == 200
        bench.api.put("ingresses", _ingress("late", "late.test"))
        await bench.api.start(port)
        await answers(controller, "late.test")


async def test_a_stopping_controller_fails_its_health_check_and_serves_on_for_the_grace_period(bench: Bench) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test"))
    async with bench.controller("--shutdown-grace-period", "600") as controller:
        await answers(controller, "web.test")
        controller.process.send_signal(signal.SIGTERM)

        async def is_failing() -> bool:
            return (await controller.health("/healthz"))[0] == 500

        await eventually(is_failing)
        assert (await controller.client.get("web.test"))[0] == 200
        # Asked again, it does not wait any longer.
        assert await controller.kill(signal.SIGTERM) == 0


async def test_a_second_controller_with_the_same_state_is_turned_away(bench: Bench) -> None:
    async with bench.controller() as first:
        await answers(first, "web.test", 404)
        async with bench.controller() as second:
            assert await asyncio.wait_for(second.process.wait(), DEADLINE) == 2
        assert (await first.client.get("web.test"))[0] == 404


async def test_an_external_name_is_resolved_and_kept_by_the_next_controller(bench: Bench) -> None:
    port = await bench.pods.start("elsewhere")
    spec = {"type": "ExternalName", "externalName": "db.example", "ports": [{"port": 80, "targetPort": port}]}
    bench.api.put("services", {"metadata": {"name": "db", "namespace": "shop"}, "spec": spec})
    bench.api.put("ingresses", _ingress("web", "web.test", service="db"))
    async with dns_server() as server:
        server.records = {("db.example.", "A"): ("127.0.0.1",)}
        async with bench.controller(server.flag) as first:
            await answers(first, "web.test")
            await first.kill(signal.SIGKILL)
        async with bench.controller(server.flag) as second:
            statuses = set()

            async def is_serving() -> bool:
                statuses.add((await second.client.get("web.test"))[0])
                return (await second.health("/readyz"))[0] == 200

            await eventually(is_serving)
            assert statuses == {200}


async def test_near_pods_are_found_by_the_zone_of_the_own_node(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    for zone in "ab":
        near = _slice(zone, bench.ports[zone])
        near["endpoints"][0]["hints"] = {"forZones": [{"name": f"zone-{zone}"}]}
        bench.api.put("endpointslices", near)
    spec = {"ports": [{"port": 80, "name": "http"}]}
    annotations = {"service.kubernetes.io/topology-mode": "Auto"}
    bench.api.put("services", {"metadata": {"name": "web", "namespace": "shop", "annotations": annotations}, "spec": spec})
    bench.api.put("nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "zone-b"}}})
    bench.api.put("ingresses", _ingress("web", "web.test"))
    async with bench.controller("--enable-topology-aware-routing", "--node-name=n1") as controller:
        await answers(controller, "web.test")
        reached = {json.loads((await controller.client.get("web.test"))[2])["pod"] for _ in range(6)}
        assert reached == {"b"}


async def test_a_limit_counts_live_sessions_and_frees_the_places_of_those_that_ended(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    limits = {"remora.io/session-limit": "2", "remora.io/session-idle-timeout": "2"}
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY | limits))
    async with bench.controller() as controller:
        await answers(controller, "web.test")  # the first session of four
        three = [(await controller.client.get("web.test"))[0] for _ in range(3)]
        assert three == [200, 200, 200]
        status, headers, _ = await controller.client.get("web.test")
        assert (status, headers["retry-after"]) == (503, "10")
        await answers(controller, "web.test")


async def test_the_session_key_signs_lifetimes_and_the_flag_chooses_the_cookies(bench: Bench) -> None:
    await bench.set_pods("a", "b")
    own = {"remora.io/session-idle-timeout": "15m", "remora.io/session-cookie-format": "remora"}
    bench.api.put("ingresses", _ingress("timed", "timed.example", annotations=STICKY | own))
    bench.api.put("ingresses", _ingress("theirs", "theirs.example", annotations=STICKY))
    async with bench.controller("--session-cookie-format=ingress-nginx") as controller:
        await answers(controller, "timed.example")
        await answers(controller, "theirs.example")
        issued = (await controller.client.get("timed.example"))[1]["set-cookie"].partition(";")[0]
        identifier, *_, signature = issued.partition("=")[2].partition("~")[0].split(".")
        assert len(identifier) == 32
        assert len(signature) == 16
        _, headers, body = await controller.client.get("timed.example", cookie=issued)
        assert "set-cookie" not in headers
        theirs = (await controller.client.get("theirs.example"))[1]["set-cookie"]
        assert re.match(r"stick=[0-9a-f]{32}\|[0-9a-f]{32};", theirs)
        await controller.kill(signal.SIGKILL)
    async with bench.controller() as successor:  # it makes the same key of the same Secret
        await answers(successor, "timed.example")
        _, headers, again = await successor.client.get("timed.example", cookie=issued)
        assert "set-cookie" not in headers
        assert json.loads(again)["pod"] == json.loads(body)["pod"]


async def test_requests_are_logged_and_measured_where_that_is_asked_for(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test"))
    settings = {"disable-access-log": "false", "log-format-upstream": "told of $request_method $uri $status [$ingress_name]"}
    bench.api.put("configmaps", {"metadata": {"name": "remora", "namespace": "ingress-remora"}, "data": settings})
    async with bench.controller("--enable-metrics", "--configmap=ingress-remora/remora") as controller:
        await answers(controller, "web.test")
        assert (await controller.client.get("web.test", "/shop?q=1", method="POST"))[0] == 200
        seen: list[str] = []

        async def is_told() -> bool:
            seen.append(capfd.readouterr().out)
            _, metrics = await controller.health("/metrics")
            name = "nginx_ingress_controller_request_duration_seconds_count"
            is_measured = any(
                line.startswith(name) and 'method="POST"' in line and 'service="web"' in line and line.endswith(" 1.0")
                for line in metrics.splitlines()
            )
            return is_measured and "told of POST /shop 200 [web]\n" in "".join(seen)

        await eventually(is_told)
        _, metrics = await controller.health("/metrics")
        assert "nginx_ingress_controller_config_last_reload_successful{" in metrics
        assert re.search(r'nginx_process_connections_total\{.*state="accepted"\} [1-9]', metrics)
