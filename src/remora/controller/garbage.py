"""When Python looks for circles of garbage: not while everything is made anew.

Its collector walks over all that is new again and again, a quarter of the time that it takes to translate ten thousand
Ingresses, and each walk over everything holds up the event loop for a tenth of a second. What is made then is kept, and values
that hold no circles: so it is put where the collector does not look. When a value goes, it goes as before.
"""

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 10, 100)
"""After so many new containers the new ones are walked over, which takes a millisecond; all of ten such times then, which
takes some ten; everything after ten million."""


def collect_seldom() -> None:
    """For as long as the process lives: a list of ten thousand objects makes hundreds of thousands of containers at once."""
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it nothing is collected, and what is there at its end never is; memory that came free goes back to the system."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
        # In a thread, since the system takes its time.
        threading.Thread(target=_trim, name="trim", daemon=True).start()


def _trim() -> None:
    # Only glibc has it, and only glibc needs to be told.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
