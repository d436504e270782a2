"""A container's standard streams: what its process is started with, and a client that is attached to them."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from remora.cluster.api.node import Console
from remora.cluster.kubelet import descriptors
from remora.cluster.kubelet.descriptors import Inlet
from remora.cluster.kubelet.execution import feed, resize
from remora.cluster.kubelet.logs import Capture
from remora.cluster.kubelet.tap import Tap
from remora.cluster.kubelet.terminals import Terminal


class StandardStreams:
    """Those of one container. Output goes into FIFOs that outlive us; a terminal does not, its process is hung up on.

    With `stdin` the process reads a FIFO; with `stdinOnce` it reads the end of it when the first client has left.
    """

    def __init__(self, directory: Path, spec: Mapping[str, Any], capture: Capture) -> None:
        self.is_terminal = bool(spec.get("tty"))
        self._takes_input = bool(spec.get("stdin"))
        self._closes = bool(spec.get("stdinOnce")) and not self.is_terminal
        self._fifo = directory / "stdin"
        self._capture = capture
        self._terminal: Terminal | None = None
        self._inlet: Inlet | None = None

    @contextlib.contextmanager
    def open_for_child(self) -> Iterator[tuple[int, int, int]]:
        """Standard input, output and error for a new process."""
        self.end()
        if self.is_terminal:
            yield from self._open_terminal()
            return
        stdout, stderr = self._capture.open_for_child()
        stdin = self._open_input()
        try:
            yield stdin, stdout, stderr
        finally:
            descriptors.close(stdout, stderr, stdin if stdin >= 0 else None)

    def adopt(self) -> None:
        """A process that was started by an earlier cluster process still reads its FIFO."""
        if self._takes_input and not self.is_terminal and self._fifo.exists():
            self._inlet = Inlet(os.open(self._fifo, os.O_RDWR))

    async def attach(self, console: Console) -> None:
        """Until the process ends, or this is cancelled."""
        tap = Tap()
        self._capture.taps.add(tap)
        try:
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(resize(self._terminal, console))] if self._terminal and console.is_terminal else []
                if self._inlet and console.has_stdin:
                    helpers.append(group.create_task(feed(self._inlet, console, closes=self._closes)))
                while (piece := await tap.next()) is not None:
                    data, is_error = piece
                    if console.has_stderr if is_error else console.has_stdout:
                        await console.write(data, is_error=is_error)
                for helper in helpers:
                    helper.cancel()
        finally:
            self._capture.taps.discard(tap)
            if console.has_stdin and self._closes and self._inlet is not None:
                self._inlet.close()

    def end(self) -> None:
        """To be called when the process has ended, or is left alone."""
        if self._inlet is not None and not self.is_terminal:
            self._inlet.close()
        if self._terminal is not None:
            self._terminal.close()
        self._inlet = self._terminal = None

    def _open_terminal(self) -> Iterator[tuple[int, int, int]]:
        self._terminal = terminal = Terminal()
        self._capture.follow_terminal(terminal.master)
        self._inlet = Inlet(terminal.master) if self._takes_input else None
        try:
            yield terminal.slave, terminal.slave, terminal.slave
        finally:
            terminal.close_slave()

    def _open_input(self) -> int:
        if not self._takes_input:
            return subprocess.DEVNULL
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._fifo, 0o600)
        # Ours first: a FIFO cannot be opened for reading alone while nobody writes.
        self._inlet = Inlet(os.open(self._fifo, os.O_RDWR))
        # As its own writer the process never reads an end, as in Kubernetes without `stdinOnce`.
        return os.open(self._fifo, os.O_RDONLY if self._closes else os.O_RDWR)
