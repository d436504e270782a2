"""Nobody loses a session in the switch: cookies of ingress-nginx lead to the pod to which they led before, and become ours."""

import asyncio
import json

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.former_sessions import former_key
from remora.model import AffinityMode, Backend, Endpoint, ForwardTo, Model, SessionPolicy
from tests.features.test_affinity import MODES, visit
from tests.support.ingress_nginx import Ring, backend_key, persistent_key
from tests.support.models import endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, free_ports

N = "default-web-80"


def test_keys_are_those_of_the_reference() -> None:
    assert backend_key("shop-web-80") == "ad0f3520c2b4ae4ad7cae6da8d3345ed"
    assert persistent_key("shop-web-80", "10.1.0.11:8080") == "f49e7989908c3323bee6161837ddf00a"
    assert former_key("shop-web-80", "10.1.0.12", 8080) == "3a9908a8acd2cca3655f8e3b7d2be785"
    assert former_key("n", "::1", 80) == persistent_key("n", "[::1]:80")


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("1700000000.123.42.7", "10.1.0.13:8080"),
        ("1712345678.901.33.567890", "10.1.0.13:8080"),
        ("abc", "10.1.0.12:8080"),
        ("a9907b79b248140b56bb13723f72b67697baac3d", "10.1.0.13:8080"),
        ("", "10.1.0.12:8080"),
    ],
)
def test_the_ring_is_that_of_the_reference(key: str, owner: str) -> None:
    ring = Ring("10.1.0.11:8080", "10.1.0.12:8080", "10.1.0.13:8080")
    assert ring.points[0] == (5502061, "10.1.0.12:8080")
    assert ring.points[-1] == (4292144296, "10.1.0.13:8080")
    assert ring.owner(key) == owner


def wanted(mode: AffinityMode, *endpoints: Endpoint) -> Model:
    name, balancing = MODES[mode]
    backend = Backend(name, balancing, tuple(sorted(endpoints)), former_name=N)
    return model([host(route(action=ForwardTo(name, sticky(mode))))], [backend])


async def test_persistent_cookies_of_ingress_nginx_reach_their_pod_and_become_ours(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcd"]
    await executor.apply(configurator.configure(wanted(AffinityMode.PERSISTENT, *endpoints[:2])))
    await executor.apply(configurator.configure(wanted(AffinityMode.PERSISTENT, *endpoints)))
    for one in endpoints:
        old = f"route={persistent_key(N, f'127.0.0.1:{one.port}')}|{backend_key(N)}"
        pod, ours = await visit(client, old)
        assert pod == one.pod
        assert ours.startswith(f"route={one.key}|")
        assert await visit(client, ours) == (pod, ours)
    await executor.apply(configurator.configure(wanted(AffinityMode.PERSISTENT, *endpoints[1:])))
    gone = f"route={persistent_key(N, f'127.0.0.1:{endpoints[0].port}')}|{backend_key(N)}"
    assert (await visit(client, gone))[0] != "a"


@pytest.mark.parametrize("form", ["{key}|" + backend_key(N), "{key}"])
async def test_balanced_cookies_of_ingress_nginx_reach_their_pod_and_stay_there(
    form: str, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcde"]
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, *endpoints[:3])))
    ring = Ring(*(f"127.0.0.1:{one.port}" for one in endpoints[:3]))
    names = {f"127.0.0.1:{one.port}": one.pod for one in endpoints}
    sessions = []
    for number in range(30):
        key = f"17123456{number}.901.33.56789{number}"
        pod, ours = await visit(client, f"route={form.format(key=key)}")
        assert pod == names[ring.owner(key)]
        assert await visit(client, ours) == (pod, ours)
        sessions.append((pod, ours))
    assert {pod for pod, _ in sessions} == {"a", "b", "c"}
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, *endpoints)))
    assert [await visit(client, ours) for _, ours in sessions] == sessions
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, *endpoints[1:])))
    moved = [await visit(client, ours) for pod, ours in sessions if pod == "a"]
    assert "a" not in {pod for pod, _ in moved}
    assert len({pod for pod, _ in moved}) > 1
    for pod, ours in moved:
        assert await visit(client, ours) == (pod, ours)


async def test_draining_pods_are_on_no_ring(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    ports = {name: await pods.start(name) for name in "abc"}
    active = [endpoint(name, ports[name]) for name in "bc"]
    draining = endpoint("a", ports["a"], draining=True)
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, endpoint("a", ports["a"]), *active)))
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, draining, *active)))
    ring = Ring(*(f"127.0.0.1:{one.port}" for one in active))
    names = {f"127.0.0.1:{port}": name for name, port in ports.items()}
    for number in range(12):
        assert (await visit(client, f"route=key{number}|x"))[0] == names[ring.owner(f"key{number}")]


@pytest.mark.parametrize("mode", [AffinityMode.PERSISTENT, AffinityMode.BALANCED])
@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("tracking", [False, True])
async def test_one_whose_pod_refuses_keeps_its_cookie_unless_it_is_to_change(
    mode: AffinityMode,
    change: bool,
    tracking: bool,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    alive, dead = endpoint("a", await pods.start("a")), endpoint("b", free_ports(1)[0])
    name, balancing = MODES[mode]
    affinity = msgspec.structs.replace(sticky(mode), change_on_failure=change, sessions=SessionPolicy(tracking=tracking))
    served = Backend(name, balancing, tuple(sorted((alive, dead))), former_name=N)
    found = model([host(route(action=ForwardTo(name, affinity)))], [served])
    await executor.apply(Configurator(proxy_settings).configure(found))
    ring = Ring(*(f"127.0.0.1:{one.port}" for one in (alive, dead)))
    key = persistent_key(N, f"127.0.0.1:{dead.port}")
    if mode is AffinityMode.BALANCED:
        key = next(str(number) for number in range(1000) if ring.owner(str(number)) == f"127.0.0.1:{dead.port}")
    status, headers, body = await client.get("web.example", cookie=f"route={key}|{backend_key(N)}")
    assert (status, json.loads(body)["pod"], "set-cookie" in headers) == (200, "a", change)


async def test_a_successor_understands_the_same_cookies(proxy_settings: ProxySettings, pods: Pods, client: Client) -> None:
    from remora.plan.outcome import OutcomeKind
    from tests.support.proxy import running_executor

    one = endpoint("a", await pods.start("a"))
    two = endpoint("b", await pods.start("b"))
    configuration = Configurator(proxy_settings).configure(wanted(AffinityMode.PERSISTENT, one, two))
    first = Executor(proxy_settings)
    await first.start()
    await first.apply(configuration)
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(configuration)).kind is OutcomeKind.UNCHANGED
        old = f"route={persistent_key(N, f'127.0.0.1:{two.port}')}|{backend_key(N)}"
        assert json.loads((await client.get("web.example", cookie=old))[2])["pod"] == "b"


async def test_a_ring_of_two_thousand_pods_is_built_while_other_requests_go_on(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "0.0.0.0") as server:  # the pods are all of 127.1.0.0/16
        port = server.sockets[0].getsockname()[1]
        places = {f"127.1.{number // 250}.{1 + number % 250}": f"pod-{number}" for number in range(2000)}
        endpoints = [msgspec.structs.replace(endpoint(name, port), address=address) for address, name in places.items()]
        await executor.apply(Configurator(proxy_settings).configure(wanted(AffinityMode.BALANCED, *endpoints)))
        ring = Ring(*(f"{address}:{port}" for address in places))
        for key in ("1700000000.123.42.7", "abc"):
            asking = asyncio.create_task(client.get("web.example", cookie=f"route={key}|{backend_key(N)}"))
            while not asking.done():
                assert (await client.get("web.example"))[0] == 200
            owner = places[ring.owner(key).partition(":")[0]]
            assert (await asking)[1]["set-cookie"].startswith(f"route=kept~{endpoint(owner, port).key}|")
