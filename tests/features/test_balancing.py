"""How the real HAProxy spreads requests that have no session."""

import asyncio
import json

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Balancing, ConstantPath, Endpoint, ForwardTo, HashBy, Model, RequestFact
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor


def spread_model(*endpoints: Endpoint, hash_by: HashBy | None = None, balancing: Balancing = Balancing.ROUND_ROBIN) -> Model:
    # The rewrite shows that what is hashed is what the client sent.
    action = ForwardTo(NAME, rewrite=ConstantPath("/") if hash_by else None, balancing=balancing, hash_by=hash_by)
    return model([host(route(action=action))], [backend(*endpoints, balancing=balancing)])


async def pods_of(client: Client, requests: list[tuple[str, dict[str, str]]]) -> list[str]:
    answers = [await client.get("web.example", path, headers=headers) for path, headers in requests]
    assert all(status == 200 for status, _, _ in answers)
    return [json.loads(body)["pod"] for _, _, body in answers]


def numbered(path: str = "/", **headers: str) -> list[tuple[str, dict[str, str]]]:
    """Sixteen requests with the number where `#` stands."""
    texts = [str(number) for number in range(16)]
    return [
        (path.replace("#", text), {name.replace("_", "-"): value.replace("#", text) for name, value in headers.items()})
        for text in texts
    ]


CASES = [
    (HashBy(facts=(RequestFact.TARGET,)), numbered("/x?y=#"), numbered("/x?y=1", X_User="#")),
    (HashBy(facts=(RequestFact.PATH,)), numbered("/x/#"), numbered("/x?y=#")),
    (HashBy(facts=(RequestFact.QUERY,)), numbered("/x?y=#"), numbered("/x/#?y=1")),
    (HashBy(facts=(RequestFact.CLIENT, RequestFact.HOST, RequestFact.SCHEME, RequestFact.METHOD)), [], numbered("/#")),
    (HashBy(headers=("x-user",)), numbered(X_User="u#"), numbered("/#", X_User="a", Y_X_User="#")),
    (HashBy(headers=("x-user",)), [], numbered("/#", Cookie="x-user: #")),
    (HashBy(cookies=("user",)), numbered(Cookie="a=1; user=u#; b=2"), numbered("/#", Cookie="user=a; xuser=#")),
    (HashBy(arguments=("user", "id")), numbered("/?a=1&user=u#"), numbered("/#?user=a&xid=#")),
    (HashBy(arguments=("user", "id")), numbered("/?id=u#"), numbered("/#?ID=a")),
    (HashBy(), [], numbered("/#?y=#", X_User="#")),
]


async def test_requests_that_are_the_same_by_the_hash_reach_one_pod(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(configurator.configure(spread_model(*endpoints)))
    for hash_by, different, same in CASES:
        wanted = spread_model(*endpoints, hash_by=hash_by, balancing=Balancing.CONSISTENT_HASH)
        assert (await executor.apply(configurator.configure(wanted))).kind in (OutcomeKind.RUNTIME, OutcomeKind.UNCHANGED)
        reached = await pods_of(client, different)
        assert reached == await pods_of(client, different)
        assert len(set(reached)) > 1 or not different, hash_by
        assert len(set(await pods_of(client, same))) == 1, hash_by


async def test_a_key_with_a_subset_reaches_so_many_pods_and_a_new_pod_changes_few_subsets(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcdef"]

    async def subsets(*used: Endpoint) -> list[frozenset[str]]:
        wanted = spread_model(*used, hash_by=HashBy((RequestFact.PATH,), subset=2), balancing=Balancing.CONSISTENT_HASH)
        await executor.apply(configurator.configure(wanted))
        await asyncio.sleep(1.1)  # which servers there are is asked once a second
        return [frozenset(await pods_of(client, [(f"/{number}", {})] * 24)) for number in range(12)]

    before = await subsets(*endpoints[:5])
    assert {len(found) for found in before} == {2}
    assert len(set(before)) > 3
    assert before == await subsets(*endpoints[:5])
    after = await subsets(*endpoints)
    assert {len(found) for found in after} == {2}
    assert all(new == old or (len(new & old) == 1 and "f" in new) for old, new in zip(before, after, strict=True))
    assert 0 < sum(new != old for old, new in zip(before, after, strict=True)) < 12
    alone = await subsets(endpoints[0])
    assert set(alone) == {frozenset("a")}


async def test_only_the_share_of_a_new_pod_moves(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    hashed = {"hash_by": HashBy(facts=(RequestFact.TARGET,)), "balancing": Balancing.CONSISTENT_HASH}
    requests = [(f"/{number}", dict[str, str]()) for number in range(40)]
    await executor.apply(configurator.configure(spread_model(*endpoints[:2], **hashed)))  # type: ignore[arg-type]
    before = await pods_of(client, requests)
    await executor.apply(configurator.configure(spread_model(*endpoints, **hashed)))  # type: ignore[arg-type]
    after = await pods_of(client, requests)
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"c"}
    assert len(moved) < 30


async def test_least_connections_pass_over_a_pod_that_is_busy(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    is_asked, may_end = asyncio.Event(), asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_asked.set()
        await may_end.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port: int = silent.sockets[0].getsockname()[1]
        busy = endpoint("busy", port)
        wanted = spread_model(*endpoints, busy, balancing=Balancing.LEAST_CONNECTIONS)
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        waiting = [asyncio.create_task(client.get("web.example", f"/{number}")) for number in range(3)]
        async with asyncio.timeout(40):
            await is_asked.wait()
        assert set(await pods_of(client, numbered())) == {"a", "b"}
        may_end.set()
        await asyncio.gather(*waiting)


async def test_a_new_controller_finds_the_hash_as_it_is(proxy_settings: ProxySettings, pods: Pods) -> None:
    hash_by = HashBy((RequestFact.HOST,), ("x-user",), ("a",), ("b", "c"))
    target = endpoint("a", await pods.start("a"))
    wanted = Configurator(proxy_settings).configure(spread_model(target, hash_by=hash_by, balancing=Balancing.CONSISTENT_HASH))
    killed = Executor(proxy_settings)
    await killed.start()
    await killed.apply(wanted)
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(wanted)).kind is OutcomeKind.UNCHANGED
