"""Sessions that the application names, on the real HAProxy: learned from answers, followed in requests."""

import asyncio
import json

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AffinityMode, Balancing, Endpoint, ForwardTo, Learning, Model, NamedIn
from remora.plan.outcome import OutcomeKind
from tests.support.models import HASHED, NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, free_ports, running_executor

SCOPE = "0123456789abcdef"
COOKIE = Learning(NamedIn.COOKIE, "JSESSIONID", SCOPE)
HEADER = Learning(NamedIn.HEADER, "mcp-session-id", SCOPE)
QUERY = Learning(NamedIn.QUERY, "sid", SCOPE)
PATH = Learning(NamedIn.PATH, "jsessionid", SCOPE)

NAMING = {
    "cookie": (COOKIE, "set-cookie", "JSESSIONID={}; Path=/; HttpOnly"),
    "header": (HEADER, "Mcp-Session-Id", "{}"),
    "query": (QUERY, "location", "/next?a=1&sid={}&b=2#x"),
    "query by a header": (QUERY, "Sid", "{}"),
    "path": (PATH, "location", "http://web.example/next;jsessionid={}?a=1"),
}
"""How a pod names a session."""


class Visitor:
    """Requests with a session's name in them."""

    def __init__(self, client: Client, learning: Learning) -> None:
        self._client = client
        self._learning = learning

    async def get(self, name: str = "", answered: str = "", *, status: int = 200) -> str:
        """The pod that answered; `answered` is a header of its answer."""
        key, _, value = answered.partition(": ")
        headers = {f"x-answer-{key}": value} if key else {}
        cookie, path = "", "/"
        match self._learning.named_in if name else None:
            case NamedIn.COOKIE:
                cookie = f"x{self._learning.name}=other; {self._learning.name}={name}; last=1"
            case NamedIn.HEADER:
                headers[self._learning.name.title()] = name
            case NamedIn.QUERY:
                path = f"/?x{self._learning.name}=other&{self._learning.name}={name}&last=1"
            case NamedIn.PATH:
                path = f"/page;v=1;{self._learning.name}={name}?a=;{self._learning.name}=other"
        sent = {**headers, "x-status": str(status)}
        _, _, body = await self._client.get("web.example", path, cookie=cookie, headers=sent)
        pod: str = json.loads(body)["pod"]
        return pod

    async def stays(self, name: str) -> str:
        """The one pod that answers several requests of the session."""
        (pod,) = {await self.get(name) for _ in range(6)}
        return pod


def learning_model(learning: Learning | None, *endpoints: Endpoint, mode: AffinityMode | None = None) -> Model:
    hashed = mode is AffinityMode.BALANCED
    name, balancing = (HASHED, Balancing.CONSISTENT_HASH) if hashed else (NAME, Balancing.ROUND_ROBIN)
    action = ForwardTo(name, sticky(mode) if mode else None, balancing=balancing, learning=learning)
    return model([host(route(action=action))], [backend(*endpoints, name=name, balancing=balancing)])


async def three(pods: Pods) -> list[Endpoint]:
    return [endpoint(name, await pods.start(name)) for name in "abc"]


@pytest.mark.parametrize("how", NAMING)
async def test_a_session_that_a_pod_names_stays_on_it(
    how: str, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    learning, header, form = NAMING[how]
    await executor.apply(Configurator(proxy_settings).configure(learning_model(learning, *await three(pods))))
    visitor = Visitor(client, learning)
    begun = {f"s{number}.x": await visitor.get("", f"{header}: {form}".format(f"s{number}.x")) for number in range(6)}
    assert set(begun.values()) == {"a", "b", "c"}
    assert {name: await visitor.stays(name) for name in begun} == begun


@pytest.mark.parametrize("learning", [COOKIE, HEADER, QUERY, PATH], ids=lambda one: one.named_in.value)
async def test_a_name_that_the_client_brings_stays_on_the_pod_that_answers_it(
    learning: Learning, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(learning_model(learning, *await three(pods))))
    visitor = Visitor(client, learning)
    names = [f"user{number}" for number in range(6)] + ["long" * 1000]
    begun = {name: await visitor.get(name) for name in names}
    assert set(begun.values()) == {"a", "b", "c"}
    assert {name: await visitor.stays(name) for name in names} == begun
    assert len({await visitor.get() for _ in range(6)}) == 3
    assert len({await visitor.get("unknown", status=404) for _ in range(6)}) == 3


async def test_a_session_follows_the_name_that_its_pod_gives_it_last(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(learning_model(COOKIE, *await three(pods))))
    visitor = Visitor(client, COOKIE)
    pod = await visitor.get("", "set-cookie: JSESSIONID=before")
    # A login gives the session another name, on the same pod.
    assert await visitor.get("before", "set-cookie: JSESSIONID=after; Path=/") == pod
    assert await visitor.stays("after") == pod
    # An end of the session, and a cookie that only resembles it, teach nothing.
    assert await visitor.get("after", "set-cookie: JSESSIONID=; Max-Age=0") == pod
    assert await visitor.get("after", "set-cookie: xJSESSIONID=after; JSESSIONID=other") == pod
    assert await visitor.stays("after") == pod


async def test_a_draining_pod_keeps_its_learned_sessions_and_those_of_a_gone_one_begin_anew(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = await three(pods)
    await executor.apply(configurator.configure(learning_model(COOKIE, *endpoints)))
    visitor = Visitor(client, COOKIE)
    begun = {f"s{number}": await visitor.get("", f"set-cookie: JSESSIONID=s{number}") for number in range(6)}
    draining = [endpoint("a", endpoints[0].port, draining=True), *endpoints[1:]]
    assert (await executor.apply(configurator.configure(learning_model(COOKIE, *draining)))).kind is OutcomeKind.RUNTIME
    assert {name: await visitor.stays(name) for name in begun} == begun
    assert {await visitor.get() for _ in range(6)} == {"b", "c"}
    await executor.apply(configurator.configure(learning_model(COOKIE, *endpoints[1:])))
    moved = {name: await visitor.stays(name) for name in begun}
    assert {name: pod for name, pod in moved.items() if begun[name] != "a"} == {
        name: pod for name, pod in begun.items() if pod != "a"
    }
    assert {pod for name, pod in moved.items() if begun[name] == "a"} <= {"b", "c"}


@pytest.mark.parametrize("mode", AffinityMode)
async def test_what_was_learned_goes_before_the_cookie_of_affinity(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(learning_model(HEADER, *await three(pods), mode=mode)))
    routes = {}
    for _ in range(20):
        _, headers, body = await client.get("web.example")
        routes[json.loads(body)["pod"]] = headers["set-cookie"].partition(";")[0]
    assert routes.keys() == {"a", "b", "c"}
    owner = await Visitor(client, HEADER).get("", "mcp-session-id: one")
    for pod, cookie in routes.items():
        _, _, body = await client.get("web.example", cookie=cookie)
        assert json.loads(body)["pod"] == pod
        _, _, body = await client.get("web.example", cookie=cookie, headers={"Mcp-Session-Id": "one"})
        assert json.loads(body)["pod"] == owner


async def test_a_pod_that_refuses_loses_no_learned_session(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    alive, other = endpoint("a", await pods.start("a")), endpoint("b", await pods.start("b"))
    visitor = Visitor(client, HEADER)
    await executor.apply(configurator.configure(learning_model(HEADER, other)))
    await visitor.get("", "mcp-session-id: one")
    broken = endpoint("b", free_ports(1)[0])
    await executor.apply(configurator.configure(learning_model(HEADER, alive, broken)))
    assert await visitor.stays("one") == "a"
    await executor.apply(configurator.configure(learning_model(HEADER, alive, other)))
    assert await visitor.stays("one") == "b"


async def test_learning_begins_and_ends_without_a_reload_and_is_adopted(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = await three(pods)
    configurator = Configurator(proxy_settings)
    plain, learning = (configurator.configure(learning_model(one, *endpoints)) for one in (None, HEADER))
    renamed = configurator.configure(learning_model(Learning(NamedIn.HEADER, "x-user", SCOPE), *endpoints))
    first = Executor(proxy_settings)
    await first.start()
    await first.apply(plain)
    assert (await first.apply(learning)).kind is OutcomeKind.RUNTIME
    visitor = Visitor(client, HEADER)
    pod = await visitor.get("", "mcp-session-id: one")
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(learning)).kind is OutcomeKind.UNCHANGED
        assert await visitor.stays("one") == pod
        assert (await successor.apply(renamed)).kind is OutcomeKind.RUNTIME
        assert len({await visitor.get("one") for _ in range(6)}) == 3
        assert (await successor.apply(plain)).kind is OutcomeKind.RUNTIME


async def test_a_session_is_kept_by_visits_and_forgotten_without(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    brief = msgspec.structs.replace(proxy_settings, learned_table_expire=3)
    async with running_executor(brief) as executor:
        await executor.apply(Configurator(brief).configure(learning_model(HEADER, *await three(pods))))
        visitor = Visitor(client, HEADER)
        pod = await visitor.get("", "mcp-session-id: one")
        for _ in range(8):
            await asyncio.sleep(0.5)
            assert await visitor.get("one", status=404) == pod
        await asyncio.sleep(4)
        assert len({await visitor.get("one", status=404) for _ in range(6)}) == 3
