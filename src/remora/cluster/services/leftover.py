"""Ends a HAProxy that outlived its cluster: after `kill -9` it would go on holding the ports and send clients to dead pods."""

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 2.0


def end_leftovers(directory: Path) -> int:
    """Kills the HAProxy processes started on the configuration in `directory` and waits for their end; how many there were.

    Only for the one who holds the profile's lock: nobody else can have started them.
    """
    argument = os.fsencode(directory / "services.cfg")
    found = [pid for pid in map(int, _process_ids()) if argument in _command_line(pid)]
    handles = [handle for handle in map(_kill, found) if handle is not None]
    deadline = time.monotonic() + _PATIENCE
    for handle in handles:
        _wait_for_end(handle, deadline)
        os.close(handle)
    return len(found)


def _kill(pid: int) -> int | None:
    """A pidfd of the process that was killed, or None if it had gone or is not ours to kill."""
    with suppress(ProcessLookupError, PermissionError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        except OSError:
            os.close(handle)
            raise
        return handle
    return None


def _wait_for_end(handle: int, deadline: float) -> None:
    # Not for its command line to vanish: that is gone while its sockets still listen.
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll(max(0.0, deadline - time.monotonic()) * 1000)


def _process_ids() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _command_line(pid: int) -> list[bytes]:
    """The words of a process; a dead one that nobody has waited for has none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
