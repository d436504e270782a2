"""Ends a HAProxy that outlived its cluster: after `kill -9` it would go on holding the ports and send clients to dead pods."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 2.0


def end_leftovers(directory: Path) -> int:
    """Kills the HAProxy processes started on the configuration in `directory`; how many there were.

    Only for the one who holds the profile's lock: nobody else can have started them.
    """
    argument = os.fsencode(directory / "services.cfg")
    found = [pid for pid in map(int, _process_ids()) if argument in _command_line(pid)]
    for pid in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE
    while any(argument in _command_line(pid) for pid in found) and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(found)


def _process_ids() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> list[bytes]:
    """The words of a process; a dead one that nobody has waited for has none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
