"""How the benches measure: CPU time of the proxies' processes, as the kernel counts it, in rounds that take turns.

Wall time and throughput say little on a machine that others use as well; what a process was on the processor does not grow when
it waits for one (`/proc/PID/task/*/schedstat`). Each round asks every peer the same, one after the other, so that what is warm,
slow or busy is so for all of them, and the ratio is taken round by round. Loopback only.
"""

import asyncio
import contextlib
import platform
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CONNECTIONS = 8

Figures = dict[str, list[float]]
"""Microseconds of CPU a request, by peer, a figure for each round."""

POD = """\
global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
frontend pods
  {binds}
  http-request wait-for-body time 5s if METH_POST
  http-request return status 200 content-type text/plain lf-string "%[path]\\n%[req.hdrs]" if {{ path_end /seen }}
  http-request return status 200 content-type text/plain string hello hdr Server pod {headers}
"""
"""Answers at once, and `/seen` with what it was sent."""

BY_HAND_DEFAULTS = """\
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout http-request 60s
  timeout http-keep-alive 75s
  timeout server 60s
  timeout tunnel 3600s
  option idle-close-on-response
  retries 2
  option redispatch 1
  retry-on conn-failure empty-response response-timeout
"""
"""What a configuration by hand has in common with Remora's program, whatever the job."""


@dataclass(frozen=True)
class Peer:
    """A proxy: where it listens, and its processes that do the work."""

    port: int
    processes: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """What is asked; `Host` stands in the question that it is a part of."""

    path: str = "/a/page"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def text(self, host: str, **more: str) -> bytes:
        """As it goes over the wire, with headers that a browser would send as well."""
        headers = {"Host": host, "User-Agent": "bench", "Accept": "*/*", **self.headers, **more}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@dataclass(frozen=True)
class Answer:
    """Status, headers by their name in lower case (the last one counts), body."""

    status: int
    headers: Mapping[str, str]
    body: str


@contextmanager
def haproxy(binary: Path, file: Path, text: str) -> Iterator[int]:
    """A HAProxy in the foreground; gives its process."""
    file.write_text(text)
    with process(str(binary), "-db", "-f", str(file)) as pid:
        yield pid


@contextmanager
def process(*command: str) -> Iterator[int]:
    """A process that ends with the block."""
    running = subprocess.Popen(command)
    try:
        yield running.pid
    finally:
        running.terminate()
        running.wait()


def pods_text(*ports: int, headers: str = "") -> str:
    """The configuration of pods behind these ports, whose answers have further headers."""
    return POD.format(binds="\n  ".join(f"bind 127.0.0.1:{port}" for port in ports), headers=headers)


def worker_of(state: Path) -> int:
    """The HAProxy whose parent is the master that serves this directory."""
    found = subprocess.run(["pgrep", "-f", str(state)], capture_output=True, text=True, check=True).stdout.split()
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]): int(pid) for pid in found}
    return next(child for parent, child in parents.items() if str(parent) in found)


def children_of(pid: int) -> tuple[int, ...]:
    """The processes that it started."""
    return tuple(int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def cpu(peer: Peer) -> float:
    """Seconds of CPU so far."""
    tasks = (task for pid in peer.processes for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def listening(port: int) -> None:
    """Waits until somebody takes connections there."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, write = await asyncio.open_connection("127.0.0.1", port)
                write.close()
                return
            await asyncio.sleep(0.05)


async def ask(port: int, host: str, request: Request) -> Answer:
    """One request on a connection of its own."""
    read, write = await asyncio.open_connection("127.0.0.1", port)
    write.write(request.text(host, Connection="close"))
    async with asyncio.timeout(10):
        text = (await read.read()).decode("latin-1")
    write.close()
    head, _, body = text.partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status.split()[1]), headers, body)


async def load(port: int, text: bytes, *, requests: int, pipelined: int, is_right: Callable[[bytes], bool]) -> int:
    """Asks the same again and again on a few kept connections; returns how many answers were not right by their head.

    A peer that closes a connection gets another one, at its own cost: that is what clients of it have to do.
    """
    wrong = 0

    async def one(left: int) -> None:
        nonlocal wrong
        while left:
            read, write = await asyncio.open_connection("127.0.0.1", port)
            is_open = True
            while left and is_open:
                asked = min(pipelined, left)
                write.write(text * asked)
                while asked and is_open:
                    head = (await read.readuntil(b"\r\n\r\n")).lower()
                    _, found, rest = head.partition(b"\r\ncontent-length: ")
                    await read.readexactly(int(rest.partition(b"\r\n")[0]) if found else 0)
                    wrong += not is_right(head)
                    left, asked = left - 1, asked - 1
                    is_open = b"\r\nconnection: close" not in head
            write.close()

    await asyncio.gather(*(one(requests // CONNECTIONS) for _ in range(CONNECTIONS)))
    return wrong


async def measured(peers: Mapping[str, Peer], run: Callable[[str, Peer], Awaitable[int]], *, rounds: int) -> Figures:
    """Runs a load against each peer in turn, once more than `rounds`: the first is for warming up. `run` says how many requests
    it made."""
    figures: Figures = {name: [] for name in peers}
    for number in range(rounds + 1):
        for name, peer in peers.items():
            before = cpu(peer)
            requests = await run(name, peer)
            if number:
                figures[name].append((cpu(peer) - before) / requests * 1e6)
    return figures


def ratios(figures: Figures, ours: str, theirs: str) -> list[float]:
    """Round by round."""
    return [one / other for one, other in zip(figures[ours], figures[theirs], strict=True)]


def spread(found: list[float]) -> str:
    """A ratio for people."""
    return f"{statistics.median(found):6.2f}   {min(found):.2f} to {max(found):.2f}"


def machine() -> dict[str, str]:
    """What the figures were seen on."""
    processors = [line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    named = {"processor": processors[0] if processors else platform.machine(), "processors": str(len(processors))}
    return {**named, "kernel": platform.release(), "load": " ".join(_lines("/proc/loadavg")[0].split()[:3])}


def version_of(*command: str) -> str:
    """The first line that a program says about itself."""
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return (said.stdout or said.stderr).split("\n")[0]


def say(text: str) -> None:
    """To people; what programs read goes to stdout."""
    print(text, file=sys.stderr)


def _lines(file: str) -> list[str]:
    return Path(file).read_text().splitlines()
