"""Container logs: from two FIFOs to a file for each instance of a container, and from there to whoever reads along.

The processes hold both ends of their FIFO. So when the cluster process is killed they do not get SIGPIPE, and the next cluster
process opens the same FIFO and loses nothing that fits into it.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO

from remora.cluster.kubelet.loglines import Splitter, render_line, render_stamp, tail_offset
from remora.cluster.kubelet.tap import Tap

_CHUNK = 65536
_BOUND = 10_000_000
"""Bytes after which a log file is rotated; one rotated file is kept (the kubelet's `containerLogMaxSize`)."""
_PIPE = 1024 * 1024
_STREAMS = ("stdout", "stderr")


class Log:
    """One instance's log, open for appending."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._changed = asyncio.Event()
        self.is_finished = False

    def append(self, lines: bytes) -> None:
        if self._size + len(lines) > _BOUND:
            self._rotate()
        with contextlib.suppress(OSError):  # a full disk must not stop the pod's supervision
            self._size += self._file.write(lines) or 0
        self._tell()

    def finish(self) -> None:
        self.is_finished = True
        self._file.close()
        self._tell()

    async def changed(self) -> None:
        """Returns when something was appended or the log is finished."""
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(rotated(self.path))
        self._file = self.path.open("ab", buffering=0)
        self._size = 0


def rotated(path: Path) -> Path:
    return path.with_name(path.name + ".1")


class Capture:
    """Carries what a container's processes print, whichever instance they belong to, into the current instance's log."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._splitters = {stream: Splitter(stream) for stream in _STREAMS}
        self._fifos = {stream: _open_fifo(directory / stream) for stream in _STREAMS}
        self._terminal: int | None = None
        self.log: Log | None = None
        self.taps: set[Tap] = set()
        for stream, fd in self._fifos.items():
            self._loop.add_reader(fd, self._readable, stream, fd)

    def begin(self, instance: int) -> None:
        """From now on lines go to this instance's log; the one before the previous is removed."""
        self.end()
        self.log = Log(self.path(instance))
        for old in (self.path(instance - 2), rotated(self.path(instance - 2))):
            old.unlink(missing_ok=True)

    def end(self) -> None:
        """Writes what was printed until now and finishes the log."""
        if self.log is None or self.log.is_finished:
            return
        self._drain()
        self._leave_terminal()
        stamp = render_stamp(time.time_ns())
        self.log.append(b"".join(line for splitter in self._splitters.values() for line in splitter.flush(stamp)))
        self.log.finish()
        for tap in self.taps:
            tap.finish()

    def follow_terminal(self, fd: int) -> None:
        """What comes from the container's terminal is its standard output; the caller closes it after the end."""
        self._terminal = fd
        self._loop.add_reader(fd, self._readable, "stdout", fd)

    def open_for_child(self) -> tuple[int, int]:
        """Fresh file descriptors for a new process's standard output and error; the caller closes them."""
        stdout, stderr = (os.open(self._directory / stream, os.O_RDWR) for stream in _STREAMS)
        return stdout, stderr

    def path(self, instance: int) -> Path:
        return self._directory / f"{instance}.log"

    def close(self) -> None:
        self.end()
        for fd in self._fifos.values():
            self._loop.remove_reader(fd)
            os.close(fd)

    def let_go(self) -> None:
        """Closes without finishing the log, for processes that go on without us."""
        for fd in self._fifos.values():
            self._loop.remove_reader(fd)
        self._drain()
        self._leave_terminal()
        for fd in self._fifos.values():
            os.close(fd)
        if self.log is not None and not self.log.is_finished:
            self.log.finish()

    def _leave_terminal(self) -> None:
        if self._terminal is not None:
            self._loop.remove_reader(self._terminal)
            self._terminal = None

    def _drain(self) -> None:
        terminal = [] if self._terminal is None else [("stdout", self._terminal)]
        for stream, fd in (*self._fifos.items(), *terminal):
            # At most what the FIFO holds: a process that prints without end must not hold up its own end.
            for _ in range(_PIPE // _CHUNK):
                if not self._readable(stream, fd):
                    break

    def _readable(self, stream: str, fd: int) -> bool:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # no process has the terminal any more
            self._leave_terminal()
            return False
        for tap in self.taps:
            tap.put(data, is_error=stream == "stderr")
        if self.log is not None and not self.log.is_finished:
            lines = b"".join(self._splitters[stream].feed(data, render_stamp(time.time_ns())))
            if lines:
                self.log.append(lines)
        return bool(data)


def _open_fifo(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(path, 0o600)
    # Opened for writing as well, so that it never reports an end of file while no process has it.
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(OSError):  # above the user's limit it stays at 64 KiB
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE)
    return fd


async def read_log(
    path: Path,
    *,
    live: Log | None = None,
    tail_lines: int | None = None,
    since_seconds: float | None = None,
    timestamps: bool = False,
    limit_bytes: int | None = None,
) -> AsyncIterator[bytes]:
    """A log as a client sees it; with `live` it goes on until that log is finished."""
    since = b"" if since_seconds is None else render_stamp(time.time_ns() - int(since_seconds * 1e9))
    left = limit_bytes
    goes_on = False
    async for lines in _read_lines(path, live=live, tail_lines=tail_lines):
        parts = []
        for line in lines:
            # A line that was broken into parts has one time in front, as from the kubelet.
            part = render_line(line, since=since, timestamps=timestamps and not goes_on)
            goes_on = bool(part) and not part.endswith(b"\n")
            parts.append(part)
        shown = b"".join(parts)
        if left is not None:
            shown = shown[:left]
            left -= len(shown)
        if shown:
            yield shown
        if left is not None and left <= 0:
            return


async def _read_lines(path: Path, *, live: Log | None, tail_lines: int | None) -> AsyncIterator[list[bytes]]:
    with contextlib.ExitStack() as stack:
        # Opened together, so that a rotation meanwhile neither repeats nor loses a line.
        files = [stack.enter_context(part.open("rb")) for part in (rotated(path), path) if part.exists()]
        # A process that prints faster than its reader takes must not keep the answer from ending.
        ends = [os.fstat(file.fileno()).st_size for file in files]
        if tail_lines is not None:
            _seek_tail(files, tail_lines)
        rest = b""
        for file, end in zip(files, ends, strict=True):
            while part := file.read(max(0, min(_CHUNK, end - file.tell()))):
                *lines, rest = (rest + part).split(b"\n")
                yield lines
        if live is not None and files:
            async for lines in _follow_lines(path, files.pop(), live=live, rest=rest):
                yield lines


async def _follow_lines(path: Path, file: BinaryIO, *, live: Log, rest: bytes) -> AsyncIterator[list[bytes]]:
    """What is appended from the file's position on, through all rotations; takes the file over."""
    try:
        while True:
            finished = live.is_finished
            while part := file.read(_CHUNK):
                *lines, rest = (rest + part).split(b"\n")
                yield lines
            if _is_another(path, file):
                file.close()
                file = path.open("rb")
            elif finished:
                return
            elif not live.is_finished:
                await live.changed()
    finally:
        file.close()


def _is_another(path: Path, file: BinaryIO) -> bool:
    """Whether the path now leads to another file than the one that is open."""
    return path.exists() and os.fstat(file.fileno()).st_ino != path.stat().st_ino


def _seek_tail(files: Sequence[BinaryIO], lines: int) -> None:
    """Puts the files' positions where their last `lines` lines, counted over all of them, begin."""
    for position in reversed(range(len(files))):
        data = files[position].read()
        offset = tail_offset(data, lines)
        files[position].seek(offset or 0)
        if offset is not None:
            for earlier in files[:position]:
                earlier.seek(0, os.SEEK_END)
            return
        lines -= data.count(b"\n")
