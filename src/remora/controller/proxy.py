"""Runs HAProxy in a container of its own, for a controller in another one of the same pod."""

import asyncio
import logging
import signal
from pathlib import Path

import msgspec

from remora.apply.binary import find_binary
from remora.apply.launcher import Launcher, taking_orders
from remora.apply.process import HAProxyProcess
from remora.controller.state import short_directory
from remora.haproxy.layout import Layout

_log = logging.getLogger(__name__)


class ProxyRunSettings(msgspec.Struct, frozen=True):
    """What `remora proxy` is given. Times are in seconds; `haproxy` is a path, or None for the usual one."""

    state_directory: Path
    haproxy: str | None = None
    shutdown_grace_period: float = 0.0
    stop_timeout: float = 240.0


def run_proxy(settings: ProxyRunSettings) -> None:
    """Runs until SIGTERM or SIGINT, then ends HAProxy; told so twice, without waiting for requests.

    Raises:
        HAProxyMissing: there is no usable HAProxy.
        UsageError: somebody else runs HAProxy for this directory.
    """
    import uvloop

    uvloop.run(_run(settings))


async def _run(settings: ProxyRunSettings) -> None:
    directory = short_directory(settings.state_directory)
    layout = Layout(str(directory))
    binary = find_binary(settings.haproxy)
    process = HAProxyProcess(binary=binary, directory=directory, files=[Path(file) for file in layout.haproxy_files])
    told: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.put_nowait, None)
    launcher = Launcher(process, layout)
    async with taking_orders(launcher, Path(layout.launcher_socket)):
        _log.info("%s is started when a controller with the state directory %s asks for it", binary, settings.state_directory)
        keeping = asyncio.create_task(launcher.keep_running())
        await told.get()
        keeping.cancel()
        _log.info("told to stop; HAProxy finishes its requests, %g s at most", settings.stop_timeout)
        ending = asyncio.create_task(_end(process, settings))
        impatience = asyncio.create_task(told.get())
        await asyncio.wait((ending, impatience), return_when=asyncio.FIRST_COMPLETED)
        for task in (ending, impatience):
            task.cancel()
        await process.stop(0.0)


async def _end(process: HAProxyProcess, settings: ProxyRunSettings) -> None:
    await asyncio.sleep(settings.shutdown_grace_period)
    await process.stop(settings.stop_timeout)
