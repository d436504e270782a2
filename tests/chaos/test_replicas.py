"""Two replicas under load, of which one is lost, and then one is told to go: sessions stay on their pods."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remora.core.settings import ProxySettings
from tests.chaos.scene import Scene, scene_of, until
from tests.chaos.servers import Api, small_api
from tests.chaos.table import ROWS, Row
from tests.chaos.traffic import HOST, Traffic
from tests.features.conftest import new_settings


@asynccontextmanager
async def replica_of(api: Api) -> AsyncIterator[Scene]:
    """A second controller with a HAProxy of its own."""
    with new_settings() as settings:
        scene = Scene(api, settings, pod="controller-2")
        try:
            await scene.begin()
            await scene.becomes_right(HOST)
            yield scene
        finally:
            await scene.end()


async def lose_one(first: Scene, second: Scene, traffic: Traffic) -> Row:
    """Its controller and its HAProxy are killed; another one begins in its place."""
    await first.controller.kill()
    await first.kill_proxy([*first.masters(), *first.workers()])
    host = await first.add_route()
    await second.becomes_right(host)
    first.over()
    await first.begin()
    seconds = await first.becomes_right(host)
    under_way = [one for one in traffic.failures if first.is_under_way(one)]
    assert traffic.failures == under_way
    assert traffic.moved == 0
    return Row("replica lost", traffic.requests, len(traffic.failures), len(under_way), traffic.moved, traffic.cut, seconds)


async def tell_one_to_go(first: Scene, second: Scene, traffic: Traffic) -> Row:
    """It finishes what it has, while clients go to the other one; WebSockets are left alone until it is told again."""
    failed, requests, cut = len(traffic.failures), traffic.requests, traffic.cut
    second.controller.process.send_signal(signal.SIGTERM)
    first.over()
    host = await first.add_route()
    seconds = await first.becomes_right(host)
    await until(lambda: traffic.requests - requests > 2 * len(traffic.visitors), "request to the other one")
    assert len(traffic.failures) == failed, traffic.failures[failed:]
    assert traffic.moved == 0
    assert traffic.cut == cut
    row = Row("replica told to stop", traffic.requests - requests, 0, 0, traffic.moved, 0, seconds)
    second.controller.process.send_signal(signal.SIGTERM)
    assert await second.controller.process.wait() == 0
    assert len(traffic.failures) == failed, traffic.failures[failed:]
    assert traffic.moved == 0
    return row


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_a_replica_that_is_lost_or_told_to_go_moves_no_session(proxy_settings: ProxySettings, tmp_path: Path) -> None:
    async with small_api(tmp_path) as api, scene_of(api, proxy_settings) as first, replica_of(api) as second:
        async with first.under_load(visitors=50, rate=500, sockets=10, others=(second.http_port,)) as traffic:
            await asyncio.sleep(2)
            ROWS.append(await lose_one(first, second, traffic))
            await until(lambda: traffic.is_steady, "steady load")
            await asyncio.sleep(2)
            ROWS.append(await tell_one_to_go(first, second, traffic))
            await asyncio.sleep(2)
            assert traffic.moved == 0
        assert not any("Traceback" in line for line in (*first.lines, *second.lines)), (first.lines, second.lines)
