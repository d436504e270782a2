"""What every peer is asked to serve, in words that none of them uses itself, and what a peer is."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.measuring import children_of

COOKIE = "route"
ORIGIN = "https://page.example"
PREFIX = "/app"
"""What a shaped route takes away from the path."""

ADDED_HEADER = ("X-Frame-Options", "DENY")


@dataclass(frozen=True)
class Pod:
    """`going` is one that takes no new sessions and still answers those that it has."""

    name: str
    address: str
    going: bool = False


@dataclass(frozen=True)
class Route:
    """A host; behind it stand all pods, at a port. A shaped one strips a prefix, answers CORS and adds a header."""

    host: str
    port: int
    sticky: bool = False
    shaped: bool = False
    secure: bool = False

    @property
    def name(self) -> str:
        return self.host.replace(".", "-")


@dataclass(frozen=True)
class Site:
    routes: tuple[Route, ...]
    pods: tuple[Pod, ...]

    @property
    def taking(self) -> tuple[Pod, ...]:
        """The pods that new sessions may go to."""
        return tuple(pod for pod in self.pods if not pod.going)


@dataclass(frozen=True)
class Place:
    """Where a peer runs: a directory of its own, two ports, a certificate with its key for all hosts, the API server's
    kubeconfig.

    `number` tells replicas of one peer apart.
    """

    directory: Path
    http: int
    https: int
    certificate: Path
    kubeconfig: Path
    number: int = 0


@dataclass
class Children:
    """Processes that were started for a peer, each in a session of its own."""

    directory: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, **environment: str) -> int:
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **environment}, start_new_session=True
            )
        self.running[name] = process
        return process.pid

    def kill(self, name: str) -> None:
        """As `kill -9` does, and waits."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def tell(self, number: signal.Signals) -> None:
        """Tells all of them."""
        for process in self.running.values():
            process.send_signal(number)

    def end(self) -> None:
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def pid(self, name: str) -> int:
        return self.running[name].pid


class Proxy(ABC):
    """A peer that runs. What it is given by the API server needs no `configure`."""

    name: ClassVar[str]
    settings: ClassVar[str]
    """How it was made fast, for readers."""
    reads_api: ClassVar[bool] = False

    def __init__(self, place: Place) -> None:
        self.place = place
        self.children = Children(place.directory)

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Why it cannot run here; nothing if it can."""

    @classmethod
    @abstractmethod
    def version(cls) -> str: ...

    @abstractmethod
    def start(self, site: Site) -> None: ...

    @abstractmethod
    def processes(self) -> Sequence[int]:
        """Those that carry requests, now."""

    def controllers(self) -> Sequence[int]:
        """Those that only decide."""
        return ()

    async def configure(self, site: Site) -> None:  # noqa: B027 - who reads the API has nothing to do
        """Makes it serve another site, as its operators would."""

    async def reload(self) -> bool:
        """Lets it read its configuration again, though nothing changed; False if it knows no such thing."""
        return False

    async def restart_controller(self) -> bool:
        """Ends what decides with `kill -9` and starts it again; False if nothing does but the proxy itself."""
        return False

    @property
    def ended(self) -> str:
        """How it ended by itself; nothing while it runs."""
        for name, process in self.children.running.items():
            if process.poll() is not None:
                lines = (self.place.directory / f"{name}.log").read_text(errors="replace").splitlines()
                return f"{name} ended with {process.returncode}: {lines[-1] if lines else 'without a word'}"
        return ""

    def finish(self) -> None:
        """Tells it to go when it has finished what it has, as Kubernetes tells its container."""
        self.children.tell(signal.SIGTERM)

    def stop(self) -> None:
        self.children.end()


def end_in_order() -> None:
    """Lets SIGTERM unwind as an interrupt does, so that no peer stays behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def program(name: str) -> str | None:
    """Beside this Python, on the PATH, or where Debian has servers."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def replace(file: Path, text: str) -> None:
    """At once, for whoever reads it just now."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def family(pid: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield pid
    with contextlib.suppress(OSError):
        for child in children_of(pid):
            yield from family(child)


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
