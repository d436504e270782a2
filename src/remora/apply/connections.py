"""Requests under way on servers, from HAProxy's `show stat`, read piece by piece."""

from collections.abc import Collection, Iterator

from remora.haproxy.pool import Slot
from remora.plan.running import Running

SHOW_ALL = "show stat -1 4 -1"
"""Every server of every backend. A worker of before a reload may have them in other slots."""


def show_servers(slot: Slot) -> str:
    """The command that shows the servers of one backend."""
    return f"show stat {slot} 4 -1"


def show_requests(slot: Slot) -> str:
    """The command that shows one backend, of which `info.has_requests` tells whether anybody is in it."""
    return f"show stat {slot} 2 -1"


def slots_with(running: Running, servers: Collection[str]) -> Iterator[Slot]:
    """The slots in which any of the servers stands, also one that is leaving."""
    for name, present in running.servers.items():
        if name in running.slots and any(one.name in servers for one in present):
            yield running.slots[name]
    for slot, leaving in (*running.leaving.items(), *running.given_up.items()):
        if any(one.name in servers for one in leaving):
            yield slot


class ConnectionReader:
    """Takes the reply of `show stat` as it comes and adds up what the servers have: requests and WebSockets under way.

    The columns are, in this order and for ever: pxname, svname, qcur, qmax, scur (management guide, section 9.1).
    """

    def __init__(self, servers: Collection[str]) -> None:
        self._servers = {server.encode() for server in servers}
        self._rest = b""
        self.total = 0

    def feed(self, data: bytes) -> None:
        """Takes the next piece, wherever it is cut."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            columns = line.split(b",", 5)
            if len(columns) == 6 and columns[1] in self._servers and columns[4].isdigit():
                self.total += int(columns[4])

    def finish(self) -> int:
        """The sum of the whole reply, which is at its end."""
        self.feed(b"\n")
        return self.total
