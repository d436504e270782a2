"""HAProxy's runtime socket, and the master's, which speaks the same language."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from remora.apply.protocol import ReplyReader, command_bytes
from remora.core.errors import HAProxyRefused, HAProxyUnreachable
from remora.haproxy.command import PREPARED_VERSION, Command, together

REPLY_TIMEOUT = 10.0
"""Seconds that HAProxy has for one reply; it answers in a tenth of a millisecond, or it is not there."""

PIECE = 65536
"""Bytes of a long reply that are taken at a time: some 400 lines of a table."""

FEW_PIECES = 16

BROKEN = (OSError, TimeoutError, RuntimeError)
"""A connection that broke; uvloop raises RuntimeError for a write to one that the other side has closed already."""


class RuntimeSocket:
    """A Unix socket that takes commands. Every call opens a connection of its own.

    Raises (all methods): HAProxyUnreachable if nobody answers in time.
    """

    def __init__(self, path: str | Path, *, timeout: float = REPLY_TIMEOUT) -> None:
        self._path = str(path)
        self._timeout = timeout

    async def read(self, command: str) -> str:
        """The whole reply of one command that only reads, however long it is."""
        reader, writer = await self._connect()
        try:
            writer.write(command_bytes(command))
            writer.write_eof()
            async with asyncio.timeout(self._timeout):
                pieces = [piece async for piece in _pieces(reader)]
            # A table of ten megabytes is no matter of a moment.
            return await asyncio.to_thread(_text, pieces) if len(pieces) > FEW_PIECES else _text(pieces)
        except BROKEN as error:
            raise HAProxyUnreachable(f"{self._path}: no reply to {command!r}: {error}") from error
        finally:
            writer.close()

    async def stream(self, command: str) -> AsyncIterator[bytes]:
        """The reply of one command that only reads, piece by piece; between two pieces others have their turn."""
        reader, writer = await self._connect()
        try:
            writer.write(command_bytes(command))
            writer.write_eof()
            while True:
                async with asyncio.timeout(self._timeout):
                    data = await reader.read(PIECE)
                if not data:
                    return
                yield data
                await asyncio.sleep(0)
        except BROKEN as error:
            raise HAProxyUnreachable(f"{self._path}: no reply to {command!r}: {error}") from error
        finally:
            writer.close()

    async def send(self, commands: Sequence[str]) -> list[str]:
        """The replies to commands without payload, in their order."""
        if not commands:
            return []
        async with self._conversation() as ask:
            return [reply for portion in together(map(Command, commands)) for reply in await ask(portion)]

    async def run(self, commands: Sequence[Command]) -> None:
        """Runs the commands in their order, and stops soon after the first that HAProxy does not confirm: when that is known,
        and before anything is taken away.

        Raises:
            HAProxyRefused: the command and HAProxy's reply to it.
        """
        prepared = ""
        async with self._conversation() as ask:
            for portion in together(commands):
                texts = [command.text.replace(PREPARED_VERSION, f"@{prepared} ") for command in portion]
                replies = await ask([Command(text, one.payload) for text, one in zip(texts, portion, strict=True)])
                for command, reply in zip(portion, replies, strict=True):
                    if not command.is_done(reply):
                        raise HAProxyRefused(f"{command.shown}: {reply or 'no answer'}")
                    if version := re.match(r"New version created: (\d+)", reply.strip()):
                        prepared = version[1]

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            # Not `wait_for`, which in Python 3.11 loses a cancellation that comes together with its result.
            async with asyncio.timeout(self._timeout):
                return await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError) as error:
            raise HAProxyUnreachable(f"{self._path}: {error}") from error

    @asynccontextmanager
    async def _conversation(self) -> AsyncIterator[Callable[[Sequence[Command]], Awaitable[list[str]]]]:
        """An interactive connection, as a function from commands to their replies. They are sent at once, and HAProxy runs them
        one after the other."""
        reader, writer = await self._connect()
        found = ReplyReader()
        unsaid = [Command("prompt")]

        async def ask(commands: Sequence[Command]) -> list[str]:
            asked = (*unsaid, *commands)
            try:
                writer.write(b"".join(command_bytes(command.text, command.payload) for command in asked))
                replies: list[str] = []
                while len(replies) < len(asked):
                    async with asyncio.timeout(self._timeout):
                        data = await reader.read(65536)
                    if not data:
                        raise HAProxyUnreachable(f"{self._path}: closed before its reply to {asked[len(replies)].shown!r}")
                    replies += found.feed(data)
            except BROKEN as error:
                raise HAProxyUnreachable(f"{self._path}: no reply to {asked[0].shown!r}: {error}") from error
            replies, unsaid[:] = replies[len(unsaid) :], []
            return replies

        try:
            yield ask
        finally:
            writer.close()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(PIECE):
        yield piece


def _text(pieces: Sequence[bytes]) -> str:
    return b"".join(pieces).decode(errors="replace").strip("\n")
