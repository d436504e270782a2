"""What servers were given and how they do, from HAProxy's `show stat`, added up over its workers."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from remora.apply.master import HAProxyMaster
from remora.apply.runtime import RuntimeSocket
from remora.haproxy.pool import Slot
from remora.plan.outcome import ProxyReading, ServerCount

SHOW_SERVERS = "show stat -1 4 -1"
"""The servers of every backend, and no backend itself."""

READING_AGE = 1.0
"""How old a reading may be, so that many viewers cost one."""
SHARE = 10
"""A reading that takes long is kept for so many times as long."""

_NAMES = ("pxname", "svname", "scur", "stot", "econ", "eresp", "hrsp_5xx", "rtime")
_FIELD = re.compile(r"^(Version|Pid|Uptime_sec|CurrConns): (.+)$", re.MULTILINE)


_Key = tuple[str, str, int]
"""Backend, server, and what is counted."""
_REQUESTS, _ERRORS = 0, 1


class ServerRow(NamedTuple):
    """A server as one worker has it; the counts are since that worker started."""

    slot: str
    server: str
    connections: int
    requests: int
    errors: int
    response_ms: int


def parse_servers(reply: str) -> list[ServerRow]:
    """The rows of `show stat`. A reply without its head (an error of HAProxy's) has none."""
    head, _, body = reply.partition("\n")
    columns = head.removeprefix("# ").split(",")
    if not set(_NAMES) <= set(columns):
        return []
    slot, server, now, total, failed, broken, errors, response = (columns.index(name) for name in _NAMES)
    last = max(slot, server, now, total, failed, broken, errors, response)
    rows = []
    for line in body.split("\n"):
        cells = line.split(",", last + 1)
        if len(cells) > last:
            faults = _number(cells[failed]) + _number(cells[broken]) + _number(cells[errors])
            rows.append(
                ServerRow(
                    cells[slot], cells[server], _number(cells[now]), _number(cells[total]), faults, _number(cells[response])
                )
            )
    return rows


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


class ServerSum:
    """Counts that never go down: every worker begins anew, and so does a server that comes back."""

    def __init__(self) -> None:
        self._slots: dict[int, Mapping[str, str]] = {}
        self._last: dict[int, dict[_Key, int]] = {}
        self._before: Counter[_Key] = Counter()

    def update(
        self, pid: int, workers: Mapping[int, Iterable[ServerRow]], backends: Mapping[str, str]
    ) -> tuple[ServerCount, ...]:
        """Takes what each worker says, by process id. `pid` is the present one, in which slots serve the `backends` of these
        names; in one of before they go on serving those of the last time that it was the present one."""
        self._slots[pid] = backends
        for gone in self._last.keys() - workers.keys():
            # One that is only slow is not counted any more: a count that is a little low is better than one that falls.
            self._before.update(self._last.pop(gone))
            self._slots[gone] = {}
        rows = [(worker, row) for worker, found in workers.items() for row in found]
        for worker, row in rows:
            if (backend := self._slots.get(worker, {}).get(row.slot)) is not None:
                last = self._last.setdefault(worker, {})
                self._take(last, (backend, row.server, _REQUESTS), row.requests)
                self._take(last, (backend, row.server, _ERRORS), row.errors)
        return tuple(self._counts(pid, rows, backends))

    def _take(self, last: dict[_Key, int], key: _Key, value: int) -> None:
        if value < last.get(key, 0):
            self._before[key] += last[key]
        last[key] = value

    def _counts(self, pid: int, rows: Iterable[tuple[int, ServerRow]], backends: Mapping[str, str]) -> Iterator[ServerCount]:
        """The servers of the present worker. What is under way in others counts wherever the server of that name stands."""
        elsewhere = Counter[str]()
        present = []
        for worker, row in rows:
            if worker != pid:
                elsewhere[row.server] += row.connections
            elif row.slot in backends:
                present.append(row)
        for row in present:
            requests, errors = (self._total((backends[row.slot], row.server, which)) for which in (_REQUESTS, _ERRORS))
            connections = row.connections + elsewhere.pop(row.server, 0)
            yield ServerCount(backends[row.slot], row.server, requests, errors, connections, row.response_ms)
        yield from (ServerCount("", server, 0, 0, number, 0) for server, number in elsewhere.items() if number)

    def _total(self, key: _Key) -> int:
        return self._before[key] + sum(last.get(key, 0) for last in self._last.values())


class TrafficReader:
    """Reads at most once a second, and no more than a tenth of the time."""

    def __init__(self, socket: RuntimeSocket, process: HAProxyMaster) -> None:
        self._socket = socket
        self._process = process
        self._sum = ServerSum()
        self._lock = asyncio.Lock()
        self._kept: tuple[float, ProxyReading] | None = None

    async def read(self, slots: Mapping[str, Slot]) -> ProxyReading:
        """What HAProxy says; `slots` are those of the backends that it serves.

        Raises:
            HAProxyUnreachable: nobody answers, so that nothing is known.
        """
        async with self._lock:
            begun = time.monotonic()
            if self._kept is None or begun > self._kept[0]:
                reading = await self._fetch(slots)
                now = time.monotonic()
                self._kept = (begun + max(READING_AGE, SHARE * (now - begun)), reading)
            return self._kept[1]

    async def _fetch(self, slots: Mapping[str, Slot]) -> ProxyReading:
        info = dict(_FIELD.findall(await self._socket.read("show info")))
        workers = await self._process.ask_workers("show info")
        replies = await self._process.ask_workers(SHOW_SERVERS)
        pid = _number(info.get("Pid", ""))
        others = [dict(_FIELD.findall(text)) for number, text in workers.items() if number != pid]
        return ProxyReading(
            version=info.get("Version", ""),
            pid=pid,
            uptime=float(_number(info.get("Uptime_sec", ""))),
            workers=1,
            former_workers=len(others),
            connections=sum(_number(one.get("CurrConns", "")) for one in (info, *others)),
            servers=await asyncio.to_thread(self._add_up, pid, replies, slots),
        )

    def _add_up(self, pid: int, replies: Mapping[int, str], slots: Mapping[str, Slot]) -> tuple[ServerCount, ...]:
        backends = {str(slot): name for name, slot in slots.items()}
        return self._sum.update(pid, {worker: parse_servers(reply) for worker, reply in replies.items()}, backends)
