"""What HAProxy's master is asked and told on its socket, wherever its processes run."""

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from remora.apply.runtime import RuntimeSocket
from remora.core.errors import HAProxyRefused, HAProxyUnreachable

RELOAD_TIMEOUT = 60.0
QUESTION_TIMEOUT = 2.0


class HAProxyMaster(ABC):
    """The master that listens on the socket of `directory`, if there is one. Who starts and ends it is left to subclasses."""

    def __init__(self, directory: Path) -> None:
        self._master_socket = directory / "master.sock"
        self._master = RuntimeSocket(self._master_socket, timeout=RELOAD_TIMEOUT)
        # A connection that the master's execution of itself cut off gets no answer; the next one does.
        self._questions = RuntimeSocket(self._master_socket, timeout=QUESTION_TIMEOUT)

    @abstractmethod
    async def start(self, listeners: Path | None = None) -> None:
        """Starts a master and its worker; returns when the worker listens. Sockets to listen on are had at `listeners`.

        A master of before that has lost its socket, with its directory for example, finishes its requests and ends.

        Raises:
            HAProxyRefused: HAProxy's own words about the configuration or an address that it cannot bind.
        """

    @abstractmethod
    async def check(self, files: Sequence[Path]) -> None:
        """Asks HAProxy whether it would take these files.

        Raises:
            HAProxyRefused: it would not, and why.
        """

    @abstractmethod
    async def find_master(self) -> int | None:
        """The master's process id where it runs, or None if there is none.

        One that is stopped, or that executes itself anew, does not answer and yet is there; one without its socket is lost.
        """

    @abstractmethod
    async def wait_dead(self) -> None:
        """Returns when the master is gone."""

    @abstractmethod
    async def stop(self, grace: float) -> None:
        """Stops listening, and ends when no request is under way any more; after `grace` seconds in any case."""

    async def is_running(self) -> bool:
        """Whether there is a master that can be reached, now or later."""
        return await self.find_master() is not None

    async def reload(self) -> None:
        """Replaces the worker by one that has read the files anew; the old one finishes its connections.

        Raises:
            HAProxyRefused: the new worker did not start, and HAProxy's words about it; the old one goes on.
        """
        reply = await self._master.read("reload")
        if "Success=1" not in reply:
            raise HAProxyRefused(complaints(reply))

    async def ask_pid(self) -> int | None:
        """The master's process id as it says it, or None if it does not answer now."""
        try:
            reply = await self._questions.read("show proc")
        except HAProxyUnreachable:
            return None
        found = re.search(r"^(\d+)\s+master\s", reply, re.MULTILINE)
        return int(found[1]) if found else None

    async def ask_workers(self, command: str) -> dict[int, str]:
        """The reply of each worker, old ones that still finish connections included, by process id."""
        try:
            processes = await self._questions.read("show proc")
        except HAProxyUnreachable:
            return {}
        replies = {}
        for pid in map(int, re.findall(r"^(\d+)\s+worker\s", processes, re.MULTILINE)):
            with contextlib.suppress(HAProxyUnreachable):
                replies[pid] = await self._questions.read(f"@!{pid} {command}")
        return replies

    async def ask_former_workers(self, command: str) -> AsyncIterator[bytes]:
        """The replies of the workers of before a reload that still finish connections, piece by piece, one after another."""
        with contextlib.suppress(HAProxyUnreachable):
            processes = await self._questions.read("show proc")
            for pid in re.findall(r"^(\d+)\s+worker\s", processes.partition("# old workers")[2], re.MULTILINE):
                async for piece in self._questions.stream(f"@!{pid} {command}"):
                    yield piece


def complaints(text: str) -> str:
    """What HAProxy's alerts say, without its banner."""
    alerts = re.findall(r"\[(?:ALERT|WARNING)\]\s+\(\d+\) : (.*)", text)
    return "; ".join(alerts) if alerts else text.strip()
