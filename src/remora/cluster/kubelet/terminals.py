"""Pseudo-terminals, and how a command gets one as the terminal that controls it."""

import fcntl
import os
import shutil
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from remora.cluster.api.node import Size
from remora.cluster.kubelet import descriptors
from remora.cluster.kubelet.processes import StartFailed

_TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Run in the new session, before the command: only there a terminal can be taken. Doing it between fork and exec in the
cluster's process would not be safe, which has threads."""


class Terminal:
    """`master` is our end, which does not block; `slave` is the process's."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)

    def resize(self, size: Size) -> None:
        """The foreground process hears of it by SIGWINCH."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size.height, size.width, 0, 0))

    def close_slave(self) -> None:
        """Once the process has it."""
        descriptors.close(self.slave)

    def close(self) -> None:
        """Hangs up."""
        descriptors.close(self.master)


def controlled(command: Sequence[str], *, env: Mapping[str, str], workdir: Path) -> list[str]:
    """The command, made to take its standard input as its terminal first.

    Raises:
        StartFailed: there is no such program; later it would be too late to say so.
    """
    program = command[0]
    if shutil.which(workdir / program if "/" in program else program, path=env.get("PATH", os.defpath)) is None:
        what = "no such file or directory" if "/" in program else "executable file not found in $PATH"
        raise StartFailed(f'exec: "{program}": {what}')
    return [sys.executable, "-I", "-S", "-c", _TAKE, *command]


def with_terminal(env: Mapping[str, str]) -> dict[str, str]:
    return {"TERM": "xterm", **env}
