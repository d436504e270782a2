"""Whether one running instance of a container is started, alive and ready: its probes, from start to exit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from remora.cluster.kubelet.actions import Target, ask
from remora.cluster.kubelet.probes import Verdict, timing, wait_until_listening, watch


class Outcomes(msgspec.Struct, frozen=True):
    """Who is told. `unhealthy` gets the kind of probe and its message; `kill` why, and the grace period (None: the pod's)."""

    started: Callable[[], None]
    ready: Callable[[bool], None]
    unhealthy: Callable[[str, str], None]
    kill: Callable[[str, float | None], Awaitable[None]]


async def watch_health(target: Target, outcomes: Outcomes, *, is_init: bool) -> None:
    """Probes until it is cancelled; returns early when there is nothing more to find out."""
    spec = target.container
    if startup := spec.get("startupProbe"):
        await _until_started(startup, target, outcomes)
    outcomes.started()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_readiness(target, outcomes, is_init=is_init))
        if liveness := spec.get("livenessProbe"):
            group.create_task(_kill_on_failure(liveness, target, outcomes, kind="Liveness"))


async def _watch_readiness(target: Target, outcomes: Outcomes, *, is_init: bool) -> None:
    probe = target.container.get("readinessProbe")
    if probe is not None:
        await _watch(probe, target, outcomes, kind="Readiness", result=outcomes.ready)
        return
    if not is_init:
        await wait_until_listening(target.address, target.container)
    outcomes.ready(True)


async def _until_started(probe: Mapping[str, Any], target: Target, outcomes: Outcomes) -> None:
    started = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_kill_on_failure(probe, target, outcomes, kind="Startup", success=started))
        await started.wait()
        watching.cancel()


async def _kill_on_failure(
    probe: Mapping[str, Any], target: Target, outcomes: Outcomes, *, kind: str, success: asyncio.Event | None = None
) -> None:
    failed = asyncio.Event()

    def result(is_good: bool) -> None:
        if not is_good:
            failed.set()
        elif success is not None:
            success.set()

    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(probe, target, outcomes, kind=kind, result=result))
        await failed.wait()
        watching.cancel()
        message = f"Container {target.container['name']} failed {kind.lower()} probe, will be restarted"
        await outcomes.kill(message, probe.get("terminationGracePeriodSeconds"))


async def _watch(
    probe: Mapping[str, Any], target: Target, outcomes: Outcomes, *, kind: str, result: Callable[[bool], None]
) -> None:
    numbers = timing(probe)

    async def check() -> Verdict:
        return await ask(probe, target, timeout=numbers.timeout)

    await watch(check, numbers, unhealthy=lambda message: outcomes.unhealthy(kind, message), result=result)
