"""Policies that come, change and go while clients ask: nobody is refused who satisfies the old ones and the new ones."""

import asyncio
import base64
import hashlib
import json
import random
from collections.abc import Mapping

import aiohttp.web
import pytest

from remora.apply.executor import SWEEP_INTERVAL, Executor
from remora.apply.runtime import RuntimeSocket
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.kube.objects import EndpointPort, Ingress, KubernetesObject
from remora.plan.outcome import OutcomeKind
from remora.translate import Translator
from tests.support.kubernetes import endpoint, endpoint_slice, ingress, ingress_class, rule, secret, service
from tests.support.proxy import Client, Pods, http1_pod
from tests.support.translations import snapshot_of

HOSTS = 12
CHANGES = 25
CLIENTS = 6
STICKY = {"affinity": "cookie", "session-cookie-name": "route", "affinity-mode": "persistent"}
BUNDLES: tuple[Mapping[str, str], ...] = (
    {"auth-type": "basic", "auth-secret": "shop/users"},
    {"auth-url": "http://auth.shop.svc.cluster.local/", "auth-response-headers": "X-User"},
    {"whitelist-source-range": "127.0.0.0/8,10.0.0.0/8", "denylist-source-range": "10.1.0.0/16"},
    {"limit-rps": "100000", "limit-connections": "1000", "limit-whitelist": "10.0.0.0/8"},
    {"enable-cors": "true", "cors-allow-origin": "https://a.example"},
    {"proxy-body-size": "10m", "proxy-read-timeout": "30", "proxy-next-upstream": "off"},
    {"proxy-cookie-path": "/ /app/", "proxy-redirect-from": "http://", "proxy-redirect-to": "https://"},
    {"custom-http-errors": "404,503", "default-backend": "auth"},
    {"configuration-snippet": "if ($arg_x = 1) { return 403; }\nproxy_set_header X-Told $host;\nadd_header X-Kept $uri;"},
    {"remora.io/session-learn": "cookie:JSESSIONID"},
    {"upstream-vhost": "inner.example"},
)
SENT = {"Authorization": "Basic " + base64.b64encode(b"user:secret").decode(), "Origin": "https://a.example"}
PASSWORDS = b"user:{SHA}" + base64.b64encode(hashlib.sha1(b"secret").digest())


def served(name: str, ports: list[int]) -> list[KubernetesObject]:
    slices = [
        endpoint_slice(
            f"shop/{name}-{number}", name, endpoint("127.0.0.1", f"{name}{number}"), ports=(EndpointPort("http", port),)
        )
        for number, port in enumerate(ports)
    ]
    return [service(f"shop/{name}"), *slices]


def an_ingress(number: int, chance: random.Random) -> list[Ingress]:
    """One that every request below satisfies, sometimes with a canary that gets none of them."""
    annotations = dict(STICKY)
    for bundle in chance.sample(BUNDLES, chance.randrange(4)):
        annotations |= bundle
    host = f"h{number}.example"
    made = [ingress(f"shop/i{number}", rule(host, "/"), annotations=annotations)]
    if chance.random() < 0.3:
        canary = {"canary": "true", "canary-by-header": "X-Canary", "canary-weight": "0"}
        made.append(ingress(f"shop/i{number}-canary", rule(host, "/", service="auth"), annotations=canary))
    return made


class Visitor:
    """Asks hosts in turn with the cookie that each gave it."""

    def __init__(self, client: Client, seed: int) -> None:
        self._client, self._chance = client, random.Random(seed)
        self._sessions: dict[int, tuple[str, str]] = {}
        self.asked = 0
        self.wrong: list[object] = []

    async def ask(self) -> None:
        number = self._chance.randrange(HOSTS)
        cookie, pod = self._sessions.get(number, ("", ""))
        status, headers, body = await self._client.get(f"h{number}.example", cookie=cookie, headers=SENT)
        self.asked += 1
        found = json.loads(body)["pod"] if status == 200 else ""
        if status != 200 or (pod and found != pod):
            self.wrong.append((number, status, pod, found, body[:80]))
        elif not cookie:
            self._sessions[number] = (headers["set-cookie"].partition(";")[0], found)


async def test_nobody_is_refused_or_moved_while_policies_change_and_the_next_controller_takes_it_as_it_is(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    chance = random.Random(4)
    web, others = [await pods.start(f"web{number}") for number in range(3)], [await pods.start("other")]
    objects = [ingress_class("nginx"), *served("web", web), *served("auth", others), secret("shop/users", auth=PASSWORDS)]
    settings, configurator = RoutingSettings(session_key=b"0123456789abcdef"), Configurator(proxy_settings)
    present = {number: an_ingress(number, chance) for number in range(HOSTS)}

    def wanted() -> Configuration:
        found = [one for made in present.values() for one in made]
        return configurator.configure(Translator(settings).translate(snapshot_of([*objects, *found]), None).model)

    assert (await executor.apply(wanted())).kind is OutcomeKind.START
    visitors = [Visitor(client, seed) for seed in range(CLIENTS)]
    is_over = asyncio.Event()

    async def visit(visitor: Visitor) -> None:
        while not is_over.is_set():
            await visitor.ask()

    async with asyncio.TaskGroup() as group:
        for visitor in visitors:
            group.create_task(visit(visitor))
        outcomes = []
        for _ in range(CHANGES):
            for number in chance.sample(range(HOSTS), 3):
                present[number] = an_ingress(number, chance)
            outcomes.append(await executor.apply(wanted()))
            await asyncio.sleep(0)
        is_over.set()
    assert [one for visitor in visitors for one in visitor.wrong] == []
    assert sum(visitor.asked for visitor in visitors) > CHANGES
    assert {one.kind for one in outcomes} <= {OutcomeKind.RUNTIME, OutcomeKind.UNCHANGED}
    successor = Executor(proxy_settings)
    await successor.start()
    assert (await successor.apply(wanted())).kind is OutcomeKind.UNCHANGED


@pytest.mark.parametrize("later", [{}, None], ids=["the route has other policies", "the route is gone"])
async def test_whoever_the_old_policies_have_let_in_reaches_the_pod_of_the_session(
    later: Mapping[str, str] | None, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    web = [await pods.start(f"web{number}") for number in range(3)]
    settings, configurator = RoutingSettings(session_key=b"0123456789abcdef"), Configurator(proxy_settings)
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def judge(_: aiohttp.web.Request) -> aiohttp.web.Response:
        asked.set()
        await may_answer.wait()
        return aiohttp.web.Response()

    async with http1_pod(judge) as auth:
        objects = [ingress_class("nginx"), *served("web", web), *served("auth", [auth])]

        def wanted(annotations: Mapping[str, str] | None) -> Configuration:
            found = (
                []
                if annotations is None
                else [ingress("shop/i", rule("h.example", "/"), annotations={**STICKY, **annotations})]
            )
            return configurator.configure(Translator(settings).translate(snapshot_of([*objects, *found]), None).model)

        await executor.apply(wanted({"auth-url": "http://auth.shop.svc.cluster.local/"}))
        may_answer.set()
        _, headers, body = await client.get("h.example")
        may_answer.clear()
        asked.clear()
        under_way = asyncio.create_task(client.get("h.example", cookie=headers["set-cookie"].partition(";")[0]))
        await asked.wait()
        assert (await executor.apply(wanted(later))).kind is OutcomeKind.RUNTIME
        await asyncio.sleep(2 * SWEEP_INTERVAL)
        may_answer.set()
        status, _, found = await under_way
        assert (status, json.loads(found)["pod"]) == (200, json.loads(body)["pod"])
        successor = Executor(proxy_settings)
        await successor.start()
        assert (await successor.apply(wanted(later))).kind is OutcomeKind.UNCHANGED
        layout = Layout(proxy_settings.state_directory)
        socket = RuntimeSocket(layout.runtime_socket)
        async with asyncio.timeout(30):
            while "persistent-rich-" in await socket.read("show servers state"):
                await asyncio.sleep(0.1)
        assert "persistent-rich-" not in await socket.read(f"show map {layout.map(Map.SERVERS)}")
