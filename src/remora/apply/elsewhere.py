"""A HAProxy that is started in another container of the pod, by `remora proxy`, which shares the state directory.

Its master's socket is at hand here, its processes are not: they are started, looked for and waited for by orders to the
launcher, each a line of JSON that is answered by one.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from remora.apply.master import HAProxyMaster
from remora.apply.runtime import BROKEN
from remora.core.errors import HAProxyRefused, HAProxyUnreachable

LAUNCHER_TIMEOUT = 60.0
"""Seconds for a container that has died to be there again."""
ANSWER_TIMEOUT = 45.0
"""Seconds for an order that does something; HAProxy itself has 30 to start."""
POLL = 0.1


class Start(msgspec.Struct, frozen=True, tag=True):
    """Start HAProxy, with the sockets that are had at `listeners` unless that is ""."""

    listeners: str = ""


class Check(msgspec.Struct, frozen=True, tag=True):
    """Say whether HAProxy would take these files."""

    files: tuple[str, ...]


class Find(msgspec.Struct, frozen=True, tag=True):
    """Say which process the master is."""


class WaitDead(msgspec.Struct, frozen=True, tag=True):
    """Answer when the master is gone."""


Order = Start | Check | Find | WaitDead


class Answer(msgspec.Struct, frozen=True):
    """What came of an order: `refused` is HAProxy's word if it did, `master` its process id where the launcher runs."""

    refused: str | None = None
    master: int | None = None


class HAProxyElsewhere(HAProxyMaster):
    """The HAProxy of the launcher that listens at `launcher`; who started it ends it."""

    def __init__(self, *, launcher: Path, directory: Path) -> None:
        super().__init__(directory)
        self._launcher = launcher

    async def start(self, listeners: Path | None = None) -> None:
        try:
            async with asyncio.timeout(LAUNCHER_TIMEOUT):
                # A container that is started anew takes a moment, in which clients wait at the sockets that are held.
                while not await self._is_there():
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise HAProxyUnreachable(
                f"{self._launcher}: `remora proxy` does not answer; look at the container that is to run it, and whether it "
                "shares the state directory"
            ) from error
        await self._order(Start(str(listeners or "")))

    async def check(self, files: Sequence[Path]) -> None:
        await self._order(Check(tuple(map(str, files))))

    async def find_master(self) -> int | None:
        if (pid := await self.ask_pid()) is not None:
            return pid
        try:
            return (await self._order(Find())).master
        except HAProxyUnreachable:
            return None  # with its container all of HAProxy's processes have ended

    async def wait_dead(self) -> None:
        try:
            await self._order(WaitDead(), timeout=None)
        except HAProxyUnreachable:
            await asyncio.sleep(POLL)

    async def stop(self, grace: float) -> None:
        """Leaves HAProxy alone: its container is stopped after this one, or goes on without it."""

    async def _is_there(self) -> bool:
        try:
            await self._order(Find())
        except HAProxyUnreachable:
            return False
        return True

    async def _order(self, order: Order, *, timeout: float | None = ANSWER_TIMEOUT) -> Answer:
        """What the launcher answers.

        Raises:
            HAProxyRefused: the order was not carried out, and why.
            HAProxyUnreachable: there is no launcher, or it went away meanwhile.
        """
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_unix_connection(self._launcher)
                try:
                    writer.write(msgspec.json.encode(order) + b"\n")
                    answer = msgspec.json.decode(await reader.readline(), type=Answer)
                finally:
                    writer.close()
        except (*BROKEN, msgspec.DecodeError) as error:
            raise HAProxyUnreachable(f"{self._launcher}: {error or type(error).__name__}") from error
        if answer.refused is not None:
            raise HAProxyRefused(answer.refused)
        return answer
