"""Where a test's cluster lies: a temporary folder, free ports, and loopback addresses that no other cluster has."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from remora.cluster.lock import claimed_indexes, running_as
from remora.cluster.profile import Choices, Profile
from remora.cluster.start import Ports, Start, decide_start
from remora.core.errors import UsageError

_INDEXES = range(30, 100)
"""The first ones are left to the clusters that people start."""
_TRIES = 20


@contextmanager
def temporary_start() -> Iterator[Start]:
    """Holds a profile that exists nowhere but here; its folder is gone afterwards.

    Raises:
        UsageError: the addresses of too many clusters are taken.
    """
    directory = Path(tempfile.mkdtemp(prefix="remora-test-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        profile = _claimed(stack, directory)
        stack.callback(shutil.rmtree, profile.services, ignore_errors=True)
        yield decide_start(profile, Ports())


def _claimed(stack: ExitStack, directory: Path) -> Profile:
    """A profile with a number that is ours until the stack ends; somebody else may be as quick with one."""
    for tries in range(_TRIES):
        free = sorted(set(_INDEXES) - claimed_indexes())
        if not free:
            break
        index = random.choice(free)  # noqa: S311 - whoever begins at the same time should rarely choose the same
        profile = Profile(f"test-{index}", directory, Choices(index=index))
        try:
            stack.enter_context(running_as(profile))
        except UsageError:
            if tries == _TRIES - 1:
                raise
        else:
            return profile
    raise UsageError(f"{len(_INDEXES)} clusters of tests run on this machine already")
