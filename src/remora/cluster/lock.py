"""Who runs a profile: one process at a time, and one cluster for each range of addresses on a machine."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from remora.cluster.profile import INDEXES, Profile
from remora.core.errors import UsageError


class AddressesTaken(UsageError):
    """Another cluster on this machine has the addresses of the profile."""


@contextlib.contextmanager
def running_as(profile: Profile) -> Iterator[None]:
    """Holds the profile and its addresses for this process; the kernel lets go of both when the process ends, however it ends.

    Raises:
        UsageError: another process runs the profile.
        AddressesTaken: another cluster has its addresses.
    """
    profile.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with profile.lock.open("a+") as file, contextlib.closing(socket.socket(socket.AF_UNIX)) as claim:
        if not _lock(file):
            raise UsageError(already_running(profile))
        try:
            claim.bind(_claim_name(profile.index))
        except OSError:
            raise AddressesTaken(_addresses_taken(profile)) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def find_runner(profile: Profile) -> int | None:
    """The process id of the profile's cluster, or None if it does not run."""
    try:
        with profile.lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(file.read().strip() or 0)
    except FileNotFoundError:
        pass
    return None


def lock_identity(profile: Profile) -> tuple[int, int] | None:
    """Which file the lock is, None if it is gone: if it is another than the one that was taken, the folder was removed."""
    try:
        found = profile.lock.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


def claimed_indexes() -> set[int]:
    """The numbers of all clusters that run on this machine, other users' and other homes' too."""
    try:
        lines = Path("/proc/net/unix").read_text().splitlines()
    except OSError:
        return set()
    # The kernel shows the zero byte of an abstract name as "@".
    names = {line.rpartition(" ")[2] for line in lines}
    return {index for index in INDEXES if _claim_name(index).replace("\0", "@") in names}


def _lock(file: TextIO) -> bool:
    """Takes the lock; `find_runner` of another process may hold it for a moment, so one refusal says nothing."""
    for _ in range(5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _claim_name(index: int) -> str:
    # An abstract name (unix(7)) belongs to the network namespace, as the loopback addresses do.
    return f"\0remora-network-{index}"


def already_running(profile: Profile) -> str:
    """What to tell somebody who starts it again."""
    runner = find_runner(profile)
    option = profile.option
    return (
        f"profile {profile.name} runs already{f' (pid {runner})' if runner else ''}. "
        f"See it with `remora status{option}`, end it with `remora down{option}`, "
        "or start another beside it with `remora up --profile NAME`."
    )


def _addresses_taken(profile: Profile) -> str:
    return (
        f"another Remora cluster on this machine uses the addresses of profile {profile.name} (number {profile.index}). "
        "End that one, or use another profile: `remora up --profile NAME`."
    )
