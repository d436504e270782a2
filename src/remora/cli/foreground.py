"""`remora up` in the foreground: runs the cluster in this process and tells the person how it goes."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from remora.cli.render import NOTE, say
from remora.cli.render.started import Started, show_started
from remora.cluster.api.authorization.authorizer import AuthorizationMode
from remora.cluster.cluster import Cluster
from remora.cluster.start import Ports, Start, starting
from remora.core.errors import RemoraError


def up_foreground(
    name: str,
    ports: Ports,
    *,
    wait: bool,
    timeout: float,
    authorization_mode: AuthorizationMode = "AlwaysAllow",
    forwards_dns: bool = True,
) -> None:
    """Runs until SIGINT, SIGTERM or SIGHUP.

    Raises:
        UsageError: the profile runs already, or a port that was asked for cannot be had.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    _find_own_programs_first()
    with starting(name, ports) as start:
        for note in start.notes:
            say(f"{NOTE}{note}")
        cluster = Cluster(start, authorization_mode=authorization_mode, forwards_dns=forwards_dns)
        _raise_alone(lambda: uvloop.run(_run(cluster, start, wait=wait, timeout=timeout)))
    stays = f"its state stays in {start.profile.directory}" if start.profile.lock.exists() else "its folder was removed"
    say(f"Profile {name} is down; {stays}.")


def _raise_alone(run: Callable[[], None]) -> None:
    """Calls `run`; of a group of errors, the first that is meant for people is raised by itself."""
    try:
        run()
    except BaseExceptionGroup as group:
        raise _first_for_people(group) or group from None


def _first_for_people(error: BaseException) -> RemoraError | None:
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_first_for_people, error.exceptions)), None)
    return error if isinstance(error, RemoraError) else None


def _find_own_programs_first() -> None:
    """Lets pods find what is installed beside Remora, uvicorn for one, although its virtual environment is not activated."""
    own = str(Path(sys.executable).parent)
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != own]
    os.environ["PATH"] = os.pathsep.join([own, *folders])


async def _run(cluster: Cluster, start: Start, *, wait: bool, timeout: float) -> None:
    began = time.monotonic()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _stopping, stop)
    say(f"starting profile {start.profile.name}")

    async def greet(cluster: Cluster) -> None:
        say(f"API server answers at {cluster.server} ({time.monotonic() - began:.1f} s)")
        why = await cluster.wait_controller(timeout) if wait else ""
        if why:
            say(f"the Ingress controller is not ready after {timeout:.0f} s: {why}")
        elif wait:
            say(f"Ingress controller is ready ({time.monotonic() - began:.1f} s)")
        show_started(Started.of(start, server=cluster.server), detached=False)

    await cluster.run(stop, greet)


def _stopping(stop: asyncio.Event) -> None:
    if not stop.is_set():
        say("stopping the pods, then the cluster")
    stop.set()
