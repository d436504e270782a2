"""Many watches, slow ones, and those that go away: what they cost, and that nothing of them stays."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remora.cluster.api import stalled, watch
from remora.cluster.store import store
from tests.cluster.api_server import Running, running_api_server

Object = dict[str, Any]

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MANY = 40
QUEUE = 50


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_api_server(tmp_path) as running:
        yield running


async def begin(api: Running, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
    query = {"watch": "true", "resourceVersion": str(api.registry.version)}
    response = await session.get(CONFIG_MAPS, params=query)
    assert response.status == 200
    return response


def subscriptions(api: Running) -> int:
    return len(api.registry._store._subscriptions.get("configmaps", ()))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def write_much(api: Running) -> None:
    """More than connections and queues hold."""
    name = {"name": "big", "namespace": "default"}
    big = await api.registry.create("configmaps", {"metadata": name, "data": {"text": ""}})
    for number in range(3 * QUEUE):
        big = await api.registry.update("configmaps", {**big, "data": {"text": f"{number}" + "x" * 200_000}})
        await asyncio.sleep(0)


async def test_a_watch_that_does_not_keep_up_is_ended_with_410(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_LONGEST_QUEUE", QUEUE)
    slow = await begin(api, api.session)
    await write_much(api)
    text = await asyncio.wait_for(slow.content.read(), 30)
    events: list[Object] = [json.loads(line) for line in text.splitlines()]
    assert len(events) < 3 * QUEUE
    assert [event["type"] for event in events[:2]] == ["ADDED", "MODIFIED"]
    assert (events[-1]["type"], events[-1]["object"]["code"], events[-1]["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_peer_that_reads_nothing_is_left(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalled, "PATIENCE", 0.2)
    still = await begin(api, api.session)
    assert subscriptions(api) == 1
    await write_much(api)
    await until(lambda: subscriptions(api) == 0)
    still.close()


async def test_nothing_stays_of_watches_whose_clients_went(api: Running) -> None:
    async with AsyncExitStack() as stack:
        tasks = len(asyncio.all_tasks())
        connector = aiohttp.TCPConnector(ssl=api.context, limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(api.server, connector=connector))
        watches = [await begin(api, session) for _ in range(MANY)]
        assert subscriptions(api) == MANY
        for gone in watches:
            gone.close()
        await until(lambda: subscriptions(api) == 0 and len(asyncio.all_tasks()) <= tasks)


async def test_an_event_is_made_once_for_all_who_see_it_alike(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    whole = watch._line

    def line(type_: str, obj: Object) -> bytes:
        made.append(type_)
        return whole(type_, obj)

    monkeypatch.setattr(watch, "_line", line)
    watches = [await begin(api, api.session) for _ in range(5)]
    await api.registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    lines = {await asyncio.wait_for(one.content.readline(), 30) for one in watches}
    assert (len(lines), made) == (1, ["ADDED"])
    for one in watches:
        one.close()
