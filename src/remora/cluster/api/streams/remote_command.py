"""One exec or attach: the client's channels on one side, the node's command on the other, and how it ended."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from remora.cluster.api.errors import ApiError, Object, internal_error
from remora.cluster.api.node import Console, Size
from remora.cluster.api.streams.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT
from remora.cluster.api.streams.connection import Gone
from remora.cluster.api.streams.multiplex import Multiplex
from remora.cluster.api.streams.spdy import SpdyError

_WAITING = 16
"""Messages of standard input that the command has not read yet; then the client has to wait."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which channels the client asked for. A terminal has no standard error of its own."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    @property
    def channels(self) -> tuple[int, ...]:
        asked = ((STDIN, self.stdin), (STDOUT, self.stdout), (STDERR, self.stderr), (RESIZE, self.tty))
        return (ERROR, *(channel for channel, is_wanted in asked if is_wanted))


Command = Callable[[Console], Awaitable[int]]
"""Runs on the node until it has ended; gives its exit code."""


async def run_command(multiplex: Multiplex, wanted: Wanted, command: Command) -> None:
    """Runs the command for this client; if the client goes, the command is cancelled."""
    try:
        if not await multiplex.begin(wanted.channels):
            return
    except (Gone, SpdyError):
        return
    console = _ClientConsole(multiplex, wanted)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(console.listen())
        leaving = group.create_task(console.left.wait())
        leaving.add_done_callback(lambda _: listening.cancel())
        working = group.create_task(_carry_out(multiplex, console, command))
        listening.add_done_callback(lambda _: working.cancel())
        working.add_done_callback(lambda _: leaving.cancel())


async def _carry_out(multiplex: Multiplex, console: Console, command: Command) -> None:
    try:
        status = exit_status(await command(console))
    except ApiError as error:
        status = error.to_wire()
    except OSError as error:  # no terminal, no descriptor left
        status = internal_error(str(error)).to_wire()
    except Gone:
        return
    try:
        if said := render_status(status, version=multiplex.version):
            await multiplex.send(ERROR, said)
        await multiplex.finish()
    except Gone:
        return


def exit_status(code: int) -> Object:
    """How a command ended, as a Status with the cause from which clients take the exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def render_status(status: Object, *, version: int) -> bytes:
    """What the error channel carries: up to version 3 a text, and nothing for success."""
    if version >= 4:
        return msgspec.json.encode(status)
    return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()


class _ClientConsole:
    """Satisfies `node.Console`."""

    def __init__(self, multiplex: Multiplex, wanted: Wanted) -> None:
        self.has_stdin = wanted.stdin
        self.has_stdout = wanted.stdout
        self.has_stderr = wanted.stderr
        self.is_terminal = wanted.tty
        self._multiplex = multiplex
        self._input: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._size: Size | None = None
        self._resized = asyncio.Event()
        self._has_ended = False
        self.left = asyncio.Event()

    async def listen(self) -> None:
        """Takes what comes from the client until it goes."""
        try:
            while (message := await self._multiplex.receive()) is not None:
                if message.channel == STDIN and self.has_stdin and not self._has_ended:
                    await self._take_input(message.data, is_last=message.is_last)
                elif message.channel == RESIZE and (size := parse_size(message.data)):
                    self._size = size
                    self._resized.set()
        except (Gone, SpdyError):
            return
        finally:
            self.left.set()

    async def read(self) -> bytes:
        data = b"" if self._has_ended and self._input.empty() else await self._input.get()
        return data

    async def write(self, data: bytes, *, is_error: bool = False) -> None:
        try:
            await self._multiplex.send(STDERR if is_error else STDOUT, data)
        except Gone:
            # Told here as well: who waits to pass on input does not hear of it. What follows is a cancellation.
            self.left.set()
            await asyncio.Event().wait()

    async def resized(self) -> Size:
        await self._resized.wait()
        self._resized.clear()
        assert self._size is not None
        return self._size

    async def _take_input(self, data: bytes, *, is_last: bool) -> None:
        if data:
            await self._input.put(data)
        if is_last:
            await self._input.put(b"")
            self._has_ended = True


def parse_size(data: bytes) -> Size | None:
    """`{"Width": 80, "Height": 24}`; None for what is no such thing."""
    try:
        return msgspec.json.decode(data, type=Size)
    except msgspec.DecodeError:
        return None
