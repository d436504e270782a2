"""What containers and the machine use, measured from /proc when somebody asks, so that it costs nothing while nobody does.

A process belongs to the container whose mark it carries in its environment, or to its parent's. Memory is the proportional set
size: what processes share is counted once.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from remora.cluster.api.node import Figures, Usage
from remora.cluster.kubelet.memory import read_sizes

_LEAST = 1.0
"""Seconds between two looks, at least; /proc counts processor time in hundredths."""
_MOST = 60.0
"""Seconds after which an earlier look says too little about now."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MARKS = (b"REMORA_POD_UID=", b"REMORA_CONTAINER=")

Key = tuple[str, str]
"""A pod's uid and a container's name."""


class Found(msgspec.Struct, frozen=True):
    """One process; `owner` is None where its own environment does not say."""

    pid: int
    parent: int
    owner: Key | None
    cpu: float
    resident: int


class Look(msgspec.Struct, frozen=True):
    """Processor time since ever, in seconds, and memory now, in bytes."""

    at: float
    containers: Mapping[Key, Figures]
    machine: Figures


def parse_stat(text: str) -> tuple[int, float, int]:
    """Parent, processor time with that of ended children, and resident bytes from /proc/PID/stat (proc(5))."""
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / _TICKS, int(fields[21]) * _PAGE


def parse_owner(environ: bytes) -> Key | None:
    found = {mark: part.removeprefix(mark) for part in environ.split(b"\0") for mark in _MARKS if part.startswith(mark)}
    uid, name = (found.get(mark, b"").decode(errors="replace") for mark in _MARKS)
    return (uid, name) if uid and name else None


def owners(processes: Iterable[Found]) -> dict[int, Key]:
    """Who owns which process: a child that threw its environment away belongs where its parent does."""
    by_pid = {process.pid: process for process in processes}
    known: dict[int, Key] = {}
    for process in by_pid.values():
        ancestor: Found | None = process
        while ancestor is not None and ancestor.owner is None:
            ancestor = by_pid.get(ancestor.parent)
        if ancestor is not None and ancestor.owner is not None:
            known[process.pid] = ancestor.owner
    return known


def rates(before: Look, after: Look) -> Usage:
    """Processors used between two looks, and memory at the second."""
    seconds = after.at - before.at
    containers = {
        key: Figures(_rate(figures.cpu, before.containers.get(key), seconds), figures.memory)
        for key, figures in after.containers.items()
    }
    machine = Figures(_rate(after.machine.cpu, before.machine, seconds), after.machine.memory)
    return Usage(window=seconds, containers=containers, node=machine)


def _rate(cpu: float, before: Figures | None, seconds: float) -> float:
    # What was not there before has used all that it used since then. Time that went with a process is not negative.
    return max(0.0, cpu - (before.cpu if before else 0.0)) / seconds


class Meter:
    """Keeps the last look, so that the next can be compared with it."""

    def __init__(self) -> None:
        self._before: Look | None = None
        self._measured: tuple[float, Usage] | None = None
        self._lock = asyncio.Lock()

    async def read(self) -> Usage:
        """The usage of the last second or more; it takes a second where nobody asked in the last minute."""
        async with self._lock:
            now = time.monotonic()
            if self._measured is not None and now - self._measured[0] < _LEAST:
                return self._measured[1]
            if self._before is None or now - self._before.at > _MOST:
                self._before = await asyncio.to_thread(look)
                await asyncio.sleep(_LEAST)
            after = await asyncio.to_thread(look)
            usage = rates(self._before, after)
            self._before, self._measured = after, (after.at, usage)
            return usage


def look() -> Look:
    processes = list(_read_processes())
    owned = owners(processes)
    containers: dict[Key, Figures] = {}
    for process in processes:
        if (key := owned.get(process.pid)) is not None:
            before = containers.get(key, Figures(0.0, 0))
            memory = read_sizes(f"/proc/{process.pid}/smaps_rollup", ("Pss",)) or process.resident
            containers[key] = Figures(before.cpu + process.cpu, before.memory + memory)
    return Look(time.monotonic(), containers, Figures(_read_machine_cpu(), _read_machine_memory()))


def _read_processes() -> Iterable[Found]:
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            parent, cpu, resident = parse_stat(Path(entry.path, "stat").read_text(errors="replace"))
            owner = parse_owner(Path(entry.path, "environ").read_bytes())
        except OSError:
            continue  # gone meanwhile, or another user's
        yield Found(int(entry.name), parent, owner, cpu, resident)


def _read_machine_cpu() -> float:
    """Of the processors that this process may use: they are the node's capacity."""
    ours = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    rows = (line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu"))
    # user, nice, system, irq and softirq; guests are part of user, and idle, iowait and steal are no use.
    return sum(sum(map(int, (*row[1:4], *row[6:8]))) for row in rows if row[0] in ours) / _TICKS


def _read_machine_memory() -> int:
    pairs = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    sizes = {pair[0].rstrip(":"): int(pair[1]) * 1024 for pair in pairs}
    return sizes["MemTotal"] - sizes.get("MemAvailable", sizes.get("MemFree", 0))
