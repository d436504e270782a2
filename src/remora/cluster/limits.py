"""Limits on the processor time and memory of what somebody else's rules and patterns ask for.

Python's regular expressions may take exponential time, and CEL may loop over loops. Kubernetes counts costs beforehand; here
the clock decides, by a signal that both the interpreter and its regular expressions heed. Only the main thread, in which the
API server runs, can be interrupted: elsewhere there is no limit.
"""

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooLongError(BaseException):
    """No ordinary exception, so that what is interrupted does not take it for a failure of its own."""


_MOST_MADE = 200_000_000
"""Letters and values that may be made within one limit of time: a second is enough to fill all memory."""

_is_armed = False
_made = 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_armed:
        raise TooLongError


def spend(size: int) -> None:
    """Notes what is about to be made.

    Raises:
        TooLongError: it is too much, with all that was made before.
    """
    global _made
    if _is_armed:
        _made += size
        if _made > _MOST_MADE:
            raise TooLongError


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """What is inside may take so much processor time; it must not await, nor be nested.

    Raises:
        TooLongError: it took more.
    """
    global _is_armed, _made
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGVTALRM) is not _interrupt:
        signal.signal(signal.SIGVTALRM, _interrupt)
    # What is raised while garbage is collected is lost.
    collects = gc.isenabled()
    gc.disable()
    _is_armed, _made = True, 0
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
    try:
        yield
    finally:
        _is_armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if collects:
            gc.enable()
