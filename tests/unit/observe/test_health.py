import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import aiohttp
import pytest

from remora.core.errors import ConfigurationError, HAProxyUnreachable
from remora.observe.health import Health, listening, run_lag_meter
from remora.observe.logs import JsonFormatter
from tests.support.proxy import free_ports


async def _no_metrics() -> bytes:
    return b"remora_synced 0\n"


async def _ask(port: int, *paths: str) -> list[int]:
    async with aiohttp.ClientSession() as session:
        answers = []
        for path in paths:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                answers.append(response.status)
        return answers


async def test_health_and_readiness_follow_the_controller() -> None:
    (port,) = free_ports(1)
    fault = ""
    health = Health(lambda: fault)
    async with listening(health, _no_metrics, hosts=["127.0.0.1"], port=port, health_path="/alive"):
        assert await _ask(port, "/healthz", "/alive", "/readyz", "/metrics", "/other") == [500, 500, 503, 200, 404]
        health.has_adopted = True
        assert await _ask(port, "/healthz", "/alive", "/readyz") == [200, 200, 503]
        health.is_serving = True
        assert await _ask(port, "/healthz", "/readyz") == [200, 200]
        fault = "HAProxy does not start"
        assert await _ask(port, "/healthz", "/readyz") == [200, 503]
        assert health.ready == (503, fault)
        fault = ""
        assert await _ask(port, "/readyz") == [200]
        health.is_stopping = True
        assert await _ask(port, "/healthz", "/readyz") == [500, 503]


async def test_a_port_in_use_is_named_and_one_address_of_two_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    async with listening(Health(), _no_metrics, hosts=["127.0.0.1"], port=port, health_path="/healthz"):
        with pytest.raises(ConfigurationError, match=f"--healthz-port.*127.0.0.1 port {port}"):
            async with listening(Health(), _no_metrics, hosts=["127.0.0.1"], port=port, health_path="/healthz"):
                pass
        async with listening(Health(), _no_metrics, hosts=["127.0.0.1", "127.0.0.2"], port=port, health_path="/healthz"):
            assert f"not served on 127.0.0.1 port {port}" in caplog.text


async def test_what_haproxy_does_not_say_is_no_answer_rather_than_an_empty_one() -> None:
    async def known(query: Mapping[str, str]) -> bytes:
        return query.get("pod", "none").encode()

    async def unknown(_: Mapping[str, str]) -> bytes:
        raise HAProxyUnreachable("nobody answers")

    (port,) = free_ports(1)
    answers = {"/known": known, "/unknown": unknown}
    async with (
        listening(Health(), _no_metrics, answers=answers, hosts=["127.0.0.1"], port=port, health_path="/healthz"),
        aiohttp.ClientSession() as session,
    ):
        assert await _ask(port, "/unknown") == [503]
        async with session.get(f"http://127.0.0.1:{port}/known?pod=a") as response:
            assert (response.content_type, await response.read()) == ("application/json", b"a")


def test_a_json_log_line_is_one_object() -> None:
    record = logging.LogRecord("remora", logging.WARNING, "file", 1, "two\n%s", ("lines",), None)
    line = JsonFormatter().format(record)
    assert '"message": "two\\nlines"' in line
    assert '"level": "warning"' in line


async def lag_of(hold_up: Callable[[], None]) -> tuple[float, float]:
    """What a meter tells, at the most, of a loop that is held up after some idle time."""
    told: list[tuple[float, float]] = []
    meter = asyncio.create_task(run_lag_meter(lambda *both: told.append(both), idle_interval=0.05, window=0.1))
    while not told:
        await asyncio.sleep(0.01)
    hold_up()
    before = len(told)
    while len(told) == before:
        await asyncio.sleep(0.01)
    meter.cancel()
    return max(late for late, _ in told), max(computed for _, computed in told)


async def test_a_loop_that_was_held_up_is_told_after_idle_time_too() -> None:
    late, computed = await lag_of(lambda: time.sleep(0.3))
    assert late >= 0.2
    assert computed < 0.2


async def test_a_loop_that_held_itself_up_is_told_as_computing() -> None:
    def compute() -> None:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.3:
            pass

    late, computed = await lag_of(compute)
    assert late >= computed >= 0.2
