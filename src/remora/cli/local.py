"""The local cluster that a command means: found, running or not, and how to end it."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from remora.cli.api import Api
from remora.cli.render import say
from remora.cluster.lock import find_runner
from remora.cluster.profile import Profile, find_place, find_profile
from remora.core.errors import RemoraError, UsageError

PATIENCE = 4.0
"""Seconds after which a person wonders."""

STOP_TIMEOUT = 90.0
"""Seconds for a cluster to end: the grace period of its pods and a little more."""


def existing(name: str) -> Profile:
    """The profile.

    Raises:
        UsageError: there is none of that name.
    """
    return _known(name, find_profile(name))


def place_of(name: str) -> Profile:
    """The profile, also if its file is damaged: to end it and to remove it nothing in there is needed.

    Raises:
        UsageError: there is none of that name.
    """
    return _known(name, find_place(name))


def _known(name: str, profile: Profile | None) -> Profile:
    if profile is None:
        suffix = "" if name == "default" else f" --profile {name}"
        raise UsageError(f"there is no profile {name}; `remora up{suffix}` makes it")
    return profile


def started(name: str) -> Profile:
    """The profile, once started at least, so that it has a kubeconfig.

    Raises:
        UsageError: it does not exist or was never started.
    """
    profile = existing(name)
    if not profile.kubeconfig.exists():
        raise UsageError(f"profile {name} was never started; start it with `remora up{profile.option}`")
    return profile


def running(name: str) -> tuple[Profile, Api]:
    """The profile and a client of its API server.

    Raises:
        UsageError: it does not run.
    """
    profile = existing(name)
    if find_runner(profile) is None or not profile.kubeconfig.exists():
        raise UsageError(f"profile {name} does not run; start it with `remora up{profile.option}`")
    return profile, Api(profile.kubeconfig)


def stop(profile: Profile) -> int | None:
    """Ends the profile's cluster and waits for it; the process id that it had, None if it did not run.

    Raises:
        RemoraError: it does not end in time.
    """
    pid = find_runner(profile)
    if not pid:
        return None
    began = time.monotonic()
    told = False
    with _watched(pid) as has_ended:
        if not has_ended():
            os.kill(pid, signal.SIGTERM)
        # It lets go of the profile a little before its end.
        while find_runner(profile) is not None or not has_ended():
            told = _waited(profile, pid, began, told=told)
    return pid


def _waited(profile: Profile, pid: int, began: float, *, told: bool) -> bool:
    """A moment later: whether the person has been told by now what is waited for.

    Raises:
        RemoraError: it takes too long.
    """
    if time.monotonic() > began + STOP_TIMEOUT:
        raise RemoraError(f"profile {profile.name} (pid {pid}) has not ended after {STOP_TIMEOUT:.0f} s; see {profile.log}")
    if not told and time.monotonic() > began + PATIENCE:
        say(f"waiting for the pods of profile {profile.name} to end")
        told = True
    time.sleep(0.05)
    return told


@contextmanager
def _watched(pid: int) -> Iterator[Callable[[], bool]]:
    """Tells whether a process has ended, also once its number is another's."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield lambda: True
        return
    try:
        yield lambda: bool(select.select([descriptor], [], [], 0)[0])
    finally:
        os.close(descriptor)
