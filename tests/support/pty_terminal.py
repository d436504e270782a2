"""A program in a real pseudo-terminal: what it draws, what is typed, and how it leaves the terminal."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

PATIENCE = 40.0
_ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")
HOME = b"\x1b[H"
"""Where every frame begins."""
ENTER, LEAVE, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class PtyProgram:
    """A program whose standard streams are a terminal of that size."""

    def __init__(self, command: Sequence[str], *, columns: int = 80, lines: int = 24, **environment: str) -> None:
        self._master, self._slave = pty.openpty()
        self.resize(columns, lines)
        self.modes_before: list[Any] = termios.tcgetattr(self._slave)
        self._process = subprocess.Popen(
            command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
            env=_environment(environment),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C reaches it
        )
        self.output = b""

    def __enter__(self) -> "PtyProgram":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        os.close(self._master)
        os.close(self._slave)

    @property
    def modes(self) -> list[Any]:
        """The terminal's modes now."""
        return termios.tcgetattr(self._slave)

    @property
    def frame(self) -> list[str]:
        """The lines of the frame before the last one, of which a part may be on its way; of all there is without frames."""
        _, *frames = self.output.split(HOME)
        if len(frames) == 1:
            return []
        whole = frames[-2] if frames else self.output
        return [line.rstrip() for line in _ESCAPE.sub(b"", whole).decode(errors="replace").split("\n")]

    def resize(self, columns: int, lines: int) -> None:
        """Makes the terminal another size; the program is told."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if hasattr(self, "_process"):
            os.killpg(self._process.pid, signal.SIGWINCH)

    def type(self, keys: str) -> None:
        """What a person types."""
        os.write(self._master, keys.encode())

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait_for(self, text: str, *, absent: bool = False) -> list[str]:
        """The first frame in which a text stands, or does not."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self._read(0.1)
            frame = self.frame
            if any(text in line for line in frame) != absent and len(frame) > 1:
                return frame
            assert self._process.poll() is None, self.output.decode(errors="replace")
        raise AssertionError(f"still {'' if absent else 'no '}{text!r} in:\n" + "\n".join(self.frame))

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        while self._read(0.1):
            pass
        assert self._process.returncode is not None, "it goes on"
        return self._process.returncode

    def _read(self, patience: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], patience)
        if ready:
            self.output += os.read(self._master, 1 << 16)
        return bool(ready)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")}
    return {**kept, "TERM": "xterm-256color", **given}


@contextlib.contextmanager
def program(command: Sequence[str], *, columns: int = 80, lines: int = 24, **environment: str) -> Iterator[PtyProgram]:
    """The program, and its end."""
    with PtyProgram(command, columns=columns, lines=lines, **environment) as made:
        yield made
