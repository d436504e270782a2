"""Holds a container to its memory limit, by looking at it once a second.

A limit of the kernel on one process (RLIMIT_AS) would count addresses, of which many run-times reserve far more than they use.
What counts is what control groups count and cannot give back: anonymous and shared memory of the process and its descendants.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

_EVERY = 1.0


async def wait_until_over(pid: int, *, limit: int) -> None:
    """Returns when the processes use more than `limit` bytes."""
    while True:
        await asyncio.sleep(_EVERY)
        family = descendants(pid)
        # Quick first: what processes share counts several times here, so only who is over may really be.
        if sum(read_sizes(f"/proc/{found}/status", ("RssAnon", "RssShmem")) for found in family) > limit:
            used = await asyncio.to_thread(_read_shares, family)
            if used > limit:
                return


def kill_tree(pid: int) -> None:
    for found in reversed(descendants(pid)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(found, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The process and all that it started, and they, and so on."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def read_sizes(path: str, names: Iterable[str]) -> int:
    """The sum in bytes of some lines of a file such as /proc/PID/status; 0 if it cannot be read."""
    wanted = tuple(f"{name}:" for name in names)
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))


def _read_shares(family: Iterable[int]) -> int:
    return sum(read_sizes(f"/proc/{pid}/smaps_rollup", ("Pss_Anon", "Pss_Shmem")) for pid in family)
