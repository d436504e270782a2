"""Two controllers as processes of their own against one API: one of them writes, and the other follows it."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from tests.features.test_controller_end_to_end import Bench, Process, answers, bench, eventually
from tests.features.test_controller_end_to_end import _ingress as ingress
from tests.support.proxy import Pods, free_ports

__all__ = ["bench"]

LEASE = ("ingress-remora", "ingress-controller-leader")


@pytest.fixture
async def other(bench: Bench, pods: Pods, proxy_settings: ProxySettings, tmp_path: Path) -> AsyncIterator[Bench]:
    """A second machine at the same API."""
    state = tmp_path / "other"
    state.mkdir()
    http, https = free_ports(2)
    settings = msgspec.structs.replace(proxy_settings, state_directory=str(state), http_port=http, https_port=https)
    yield Bench(bench.api, pods, settings)
    await Executor(settings).stop(grace=0.0)


async def _leads(controller: Process) -> bool:
    return "remora_leader 1.0" in (await controller.health("/metrics"))[1]


def _address(bench: Bench, name: str) -> Any:
    status = bench.api.objects["ingresses"]["shop", name].get("status", {})
    return status.get("loadBalancer", {}).get("ingress", [{}])[0].get("ip")


async def test_one_of_two_controllers_writes_and_when_it_dies_the_other_does(bench: Bench, other: Bench) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", ingress("web", "web.test"))
    flags = ("--election-ttl=2", "--publish-status-address")
    async with bench.controller(*flags, "10.0.0.1", pod="first") as first:
        await answers(first, "web.test")
        await eventually(lambda: _leads(first))
        async with other.controller(*flags, "10.0.0.2", pod="second") as second:
            await answers(second, "web.test")

            async def is_followed() -> bool:
                return "watch leases" in bench.api.requests

            await eventually(is_followed)
            assert not await _leads(second)
            bench.api.put("ingresses", ingress("more", "more.test"))
            await answers(second, "more.test")

            async def written_by_first() -> bool:
                return (_address(bench, "web"), _address(bench, "more")) == ("10.0.0.1", "10.0.0.1")

            await eventually(written_by_first)
            await first.kill(signal.SIGKILL)

            async def written_by_second() -> bool:
                return (_address(bench, "web"), _address(bench, "more")) == ("10.0.0.2", "10.0.0.2")

            await eventually(written_by_second)
            assert await _leads(second)
            assert bench.api.objects["leases"][LEASE]["spec"]["leaseTransitions"] == 1
            assert await second.kill(signal.SIGTERM) == 0
            assert "holderIdentity" not in bench.api.objects["leases"][LEASE]["spec"]


async def test_a_controller_that_takes_no_part_serves_but_writes_no_status(bench: Bench) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", ingress("web", "web.test"))
    async with bench.controller("--disable-leader-election") as controller:
        await answers(controller, "web.test")
        assert not await _leads(controller)
        assert await controller.kill(signal.SIGTERM) == 0
    assert not bench.api.patches
    assert not bench.api.objects["leases"]


async def test_the_pod_of_a_controller_tells_of_reloads_and_metrics_of_how_long_changes_wait(bench: Bench) -> None:
    bench.api.put("pods", {"metadata": {"name": "controller-1", "namespace": "ingress-remora", "uid": "u-1"}})
    await bench.set_pods("a")
    bench.api.put("ingresses", ingress("web", "web.test"))
    async with bench.controller() as controller:
        await answers(controller, "web.test")
        assert "remora_change_seconds_count 0.0" in (await controller.health("/metrics"))[1]

        async def has_told() -> bool:
            events = bench.api.objects["events"].values()
            told = [one for one in events if one["reason"] == "RELOAD" and one["involvedObject"].get("uid") == "u-1"]
            return [one["involvedObject"]["kind"] for one in told] == ["Pod"] and "started" in told[0]["message"]

        await eventually(has_told)
        bench.api.put("ingresses", ingress("more", "more.test"))
        await answers(controller, "more.test")

        async def is_measured() -> bool:
            _, metrics = await controller.health("/metrics")
            return "remora_change_seconds_count 0.0" not in metrics and "remora_change_seconds_count" in metrics

        await eventually(is_measured)
