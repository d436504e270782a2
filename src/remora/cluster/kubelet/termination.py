"""How a container is told to end, and what it says when it did (`terminationMessagePath`, `terminationMessagePolicy`)."""

import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remora.cluster.kubelet.loglines import render_line

_LONGEST = 4096
"""Bytes of a message that are kept."""
_LOG_BYTES = 2048
_LOG_LINES = 80
_READ = 16 * 1024


def find_signal(name: str | None) -> signal.Signals:
    """By its name with or without SIG, or its number, as a Dockerfile's STOPSIGNAL has it; SIGTERM for what is none."""
    text = (name or "SIGTERM").upper()
    try:
        if text.isdecimal():
            return signal.Signals(int(text))
        return signal.Signals[f"SIG{text.removeprefix('SIG')}"]
    except (KeyError, ValueError):
        return signal.SIGTERM


def read_message(path: Path, log: Path, spec: Mapping[str, Any], *, exit_code: int) -> str:
    """What the process wrote to its file, or the end of its log if it failed and the policy wants that."""
    with contextlib.suppress(OSError):
        if message := _read_end(path, _LONGEST, from_start=True):
            return message.decode(errors="replace")
    if exit_code == 0 or spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return ""
    with contextlib.suppress(OSError):
        return log_message(_read_end(log, _READ))
    return ""


def log_message(data: bytes) -> str:
    """The last lines of a log, without what the log adds to them."""
    lines = [render_line(line) for line in data.splitlines()]
    return b"".join(lines[-_LOG_LINES:])[-_LOG_BYTES:].decode(errors="replace")


def _read_end(path: Path, size: int, *, from_start: bool = False) -> bytes:
    with path.open("rb") as file:
        if not from_start:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
        return file.read(size)
