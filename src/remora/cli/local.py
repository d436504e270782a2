"""The local cluster that a command means: found, running or not, and how to end it."""

import os
import signal
import time

from remora.cli.api import Api
from remora.cli.render import say
from remora.cluster.lock import find_runner
from remora.cluster.profile import Profile, find_profile
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
    profile = find_profile(name)
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
    os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    told = False
    while find_runner(profile) is not None:
        if not told and time.monotonic() > began + PATIENCE:
            say(f"waiting for the pods of profile {profile.name} to end")
            told = True
        if time.monotonic() > began + STOP_TIMEOUT:
            raise RemoraError(f"profile {profile.name} (pid {pid}) has not ended after {STOP_TIMEOUT:.0f} s; see {profile.log}")
        time.sleep(0.05)
    return pid
