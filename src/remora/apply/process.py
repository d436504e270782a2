"""One HAProxy in master-worker mode, in the background.

It is started as a daemon in a session of its own, so that it outlives whoever started it; the next controller finds it by
its master socket.
"""

import asyncio
import contextlib
import errno
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from remora.apply.info import has_requests
from remora.apply.master import HAProxyMaster, complaints
from remora.core.errors import HAProxyError, HAProxyRefused, HAProxyUnreachable

START_TIMEOUT = 30.0
POLL = 0.01
STOP_POLL = 0.1
END_TIMEOUT = 2.0
_LOOKS, _LOOK_AGAIN = 100, 0.001
"""How often at most, and after how many seconds, one looks for a command line that is not there."""
_LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class HAProxyProcess(HAProxyMaster):
    """A HAProxy that reads `files`, in their order, and has its sockets and pid file in `directory`."""

    def __init__(self, *, binary: Path, directory: Path, files: Sequence[Path]) -> None:
        super().__init__(directory)
        self._binary = binary
        self._files = tuple(files)
        self._pid_file = directory / "haproxy.pid"
        self._pid: int | None = None

    async def start(self, listeners: Path | None = None) -> None:
        command = [str(self._binary), "-W", "-D", "-S", f"{self._master_socket},mode,600"]
        command += ["-p", str(self._pid_file), *self._file_arguments()]
        command += ["-x", str(listeners)] if listeners else []
        lost = await self._find_silent()
        # From here on the pid file says who is meant, also if nobody waits for the rest: `stop` is to find the new one.
        self._pid = None
        self._pid_file.unlink(missing_ok=True)
        await _check_output(command, timeout=START_TIMEOUT)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                # The parent of the daemon has ended before the master looks after its socket.
                while await self._ask_master() is None:
                    if self._has_ended():
                        raise HAProxyRefused("HAProxy ended as soon as it was started")
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise HAProxyRefused("HAProxy was started but its master socket does not answer") from error
        if lost is not None:
            # Only now: both listen for a moment, so that no client finds nobody.
            _signal(lost, signal.SIGUSR1)

    async def check(self, files: Sequence[Path]) -> None:
        arguments = [argument for file in files for argument in ("-f", str(file))]
        await _check_output([str(self._binary), "-c", *arguments], timeout=START_TIMEOUT)

    async def find_master(self) -> int | None:
        if not self._master_socket.exists():
            return None
        return await self._ask_master() or await self._find_silent()

    async def _ask_master(self) -> int | None:
        answer = await self.ask_pid()
        self._pid = answer or self._pid
        return answer

    async def _find_silent(self) -> int | None:
        """The master that answered last, or that the pid file names, if it lives. Its command line tells it from a stranger.

        Raises:
            HAProxyUnreachable: it cannot be looked for now; that we lack something says nothing about HAProxy.
        """
        pid = self._pid
        try:
            if pid is None:
                with contextlib.suppress(ValueError):
                    pid = int(self._pid_file.read_text())
            if pid is not None and os.fsencode(self._master_socket) in await _read_command(pid):
                return pid
        except OSError as error:
            if error.errno in _LACKING:
                raise HAProxyUnreachable(f"{error.strerror}: raise the controller's limit on open files (ulimit -n)") from error
        return None

    def _has_ended(self) -> bool:
        """Whether the master that was started last has written who it is, and is no more."""
        with contextlib.suppress(OSError, ValueError):
            return _is_dead(int(self._pid_file.read_text()))
        return False

    async def wait_dead(self) -> None:
        pid = await self.find_master()
        if pid is not None:
            await wait_for_exit(pid)

    async def stop(self, grace: float) -> None:
        # HAProxy alone would wait for every idle connection, as long as its client keeps it.
        pid = await self.find_master() or await self._find_silent()
        if pid is None:
            return
        _signal(pid, signal.SIGUSR1)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while await self._is_answering():
                    await asyncio.sleep(STOP_POLL)
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal(pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_TIMEOUT):
                    return await wait_for_exit(pid)

    async def _is_answering(self) -> bool:
        """Whether some worker has a request, or a WebSocket, with a server."""
        replies = await self.ask_workers("show stat -1 2 -1")
        return await asyncio.to_thread(lambda: any(map(has_requests, replies.values())))

    def _file_arguments(self) -> list[str]:
        return [argument for file in self._files for argument in ("-f", str(file))]


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_dead(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"  # it has ended, and nobody has waited for it yet


async def _read_command(pid: int) -> bytes:
    """The process' command line. It has none for a moment while it executes itself anew, as a master that has started does.

    Raises:
        OSError: there is no such process, or we lack what it takes to look.
    """
    for _ in range(_LOOKS):
        if (found := Path(f"/proc/{pid}/cmdline").read_bytes()) or _is_dead(pid):
            return found
        await asyncio.sleep(_LOOK_AGAIN)
    return b""


async def wait_for_exit(pid: int) -> None:
    """Returns when the process, which need not be a child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _check_output(command: Sequence[str], *, timeout: float) -> None:
    # A file, no pipe: under uvloop the daemon inherits the pipe's other end, and its end would never come.
    with tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout):
                status = await process.wait()
        except TimeoutError as error:
            raise HAProxyError(f"{command[0]} did not come up within {timeout:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        words.seek(0)
        if status != 0:
            raise HAProxyRefused(complaints(words.read().decode(errors="replace")))
