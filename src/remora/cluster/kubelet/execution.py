"""A command beside a container's process, with a client at its standard streams (`kubectl exec`)."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from remora.cluster.api.node import Console
from remora.cluster.kubelet import descriptors
from remora.cluster.kubelet.descriptors import Inlet, Outlet
from remora.cluster.kubelet.processes import Identity, Process, StartFailed, find_session, send_to, start
from remora.cluster.kubelet.terminals import Terminal, controlled, with_terminal

_GRACE = 2.0
"""Seconds between SIGHUP and SIGKILL for a session whose client has gone."""
_KILLED = 137


async def execute(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    workdir: Path,
    console: Console,
    container: Callable[[], Awaitable[object]],
) -> int:
    """Runs the command and gives its exit code; it ends when `container` returns, or when this is cancelled.

    Raises:
        StartFailed: there is no such program.
    """
    if console.is_terminal:
        return await _execute_in_terminal(command, with_terminal(env), workdir, console, container)
    return await _execute_in_pipes(command, env, workdir, console, container)


async def _execute_in_terminal(
    command: Sequence[str], env: Mapping[str, str], workdir: Path, console: Console, container: Callable[[], Awaitable[object]]
) -> int:
    argv = controlled(command, env=env, workdir=workdir)
    terminal = Terminal()
    slave = terminal.slave
    try:
        process = start(argv, env=env, workdir=workdir, stdin=slave, stdout=slave, stderr=slave, ends_group=False)
    except StartFailed:
        terminal.close()
        raise
    finally:
        terminal.close_slave()
    outlets = [(Outlet(terminal.master), False)]
    try:
        async with asyncio.TaskGroup() as group:
            resizing = group.create_task(resize(terminal, console))
            code = await _serve(group, process, container, console, Inlet(terminal.master), outlets)
            resizing.cancel()
    finally:
        terminal.close()
    return code


async def _execute_in_pipes(
    command: Sequence[str], env: Mapping[str, str], workdir: Path, console: Console, container: Callable[[], Awaitable[object]]
) -> int:
    pipes = [os.pipe() if is_wanted else None for is_wanted in (console.has_stdin, console.has_stdout, console.has_stderr)]
    stdin, stdout, stderr = pipes
    theirs = [stdin and stdin[0], stdout and stdout[1], stderr and stderr[1]]
    ours = [stdin and stdin[1], stdout and stdout[0], stderr and stderr[0]]
    numbers = [subprocess.DEVNULL if fd is None else fd for fd in theirs]
    try:
        process = start(
            command, env=env, workdir=workdir, stdin=numbers[0], stdout=numbers[1], stderr=numbers[2], ends_group=False
        )
    except StartFailed:
        descriptors.close(*ours)
        raise
    finally:
        descriptors.close(*theirs)
    inlet = None if ours[0] is None else Inlet(ours[0])
    outlets = [(Outlet(fd), is_error) for fd, is_error in ((ours[1], False), (ours[2], True)) if fd is not None]
    try:
        async with asyncio.TaskGroup() as group:
            return await _serve(group, process, container, console, inlet, outlets, closes=True)
    finally:
        if inlet is not None:
            inlet.close()
        descriptors.close(*ours[1:])


async def _serve(
    group: asyncio.TaskGroup,
    process: Process,
    container: Callable[[], Awaitable[object]],
    console: Console,
    inlet: Inlet | None,
    outlets: Sequence[tuple[Outlet, bool]],
    *,
    closes: bool = False,
) -> int:
    """Carries everything both ways until the command is over and the client has all that it printed."""
    try:
        feeding = group.create_task(feed(inlet, console, closes=closes)) if inlet is not None and console.has_stdin else None
        showing = [group.create_task(_show(outlet, console, is_error=is_error)) for outlet, is_error in outlets]
        code = await _until_over(process, container)
        for outlet, _ in outlets:
            outlet.finish()
        for task in showing:
            await task
        if feeding is not None:
            feeding.cancel()
        return code
    finally:
        if process.is_running:
            end_session(process)


async def feed(inlet: Inlet, console: Console, *, closes: bool) -> None:
    """Passes on what the client types; what nobody reads any more is dropped, so that the client's end is still noticed."""
    try:
        while data := await console.read():
            await inlet.write(data)
    except OSError:
        while await console.read():
            pass
    if closes:
        inlet.close()


async def resize(terminal: Terminal, console: Console) -> None:
    while True:
        terminal.resize(await console.resized())


async def _show(outlet: Outlet, console: Console, *, is_error: bool = False) -> None:
    while data := await outlet.read():
        await console.write(data, is_error=is_error)
        # Neither a command that always has more nor a client that takes it at once makes the others wait.
        await asyncio.sleep(0)


async def _until_over(process: Process, container: Callable[[], Awaitable[object]]) -> int:
    """The exit code as a shell gives it; with its container the command ends, too."""
    ended = asyncio.ensure_future(container())
    waiting = asyncio.ensure_future(process.wait())
    try:
        await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            return _KILLED
        code = waiting.result() or 0
        return code if code >= 0 else 128 - code
    finally:
        ended.cancel()
        waiting.cancel()


def end_session(process: Process) -> None:
    """Hangs up on everything that the command started and that did not leave its session."""
    members = find_session(process.identity.pid)
    _send(members, signal.SIGHUP)
    if members:
        asyncio.get_running_loop().call_later(_GRACE, _send, members, signal.SIGKILL)


def _send(members: Sequence[Identity], number: signal.Signals) -> None:
    for member in members:
        send_to(member, number)
