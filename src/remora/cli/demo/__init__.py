"""`remora demo`: a cluster of its own, an application with three pods, and what session affinity does, checked as it is shown.

`machine` starts and removes the cluster, `visitor` is an HTTP client that keeps cookies, `workload` holds the objects and
changes them, `scenario` is the story with its checks, `screen` shows it.
"""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from remora.cli.demo.machine import demo_cluster
from remora.cli.demo.scenario import Story, tell
from remora.cli.demo.screen import open_screen
from remora.cli.demo.workload import Workload
from remora.core.errors import RemoraError


def run_demo() -> bool:
    """Runs the demonstration and removes it; whether every statement held."""
    began = time.monotonic()
    with _ending_orderly(), open_screen(sys.stdout) as screen:
        try:
            screen.heading("starting a cluster of its own")
            with demo_cluster() as machine:
                story = Story(Workload(machine.api), machine.entry, screen)
                tell(story)
                screen.heading("removing the cluster")
        except RemoraError as error:
            screen.failure(str(error))
            return False
        screen.end(seconds=time.monotonic() - began)
        return story.holds


@contextlib.contextmanager
def _ending_orderly() -> Iterator[None]:
    """Makes SIGTERM unwind as Ctrl-C does, so that the cluster is removed."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
