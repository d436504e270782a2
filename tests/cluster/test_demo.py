"""`remora demo`, and that nothing is left of it."""

import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.cluster.terminal import Terminal, wait_for

pytestmark = pytest.mark.timeout(150)


def traces() -> set[str]:
    """Homes of demonstrations, and processes that know one."""
    listed = subprocess.run(["ps", "axww", "-o", "command"], capture_output=True, text=True, check=True).stdout
    processes = {line for line in listed.splitlines() if "remora-demo-" in line and "ps axww" not in line}
    return processes | {str(path) for path in Path(tempfile.gettempdir()).glob("remora-demo-*")}


def test_every_statement_holds_and_nothing_is_left(terminal: Terminal) -> None:
    before = traces()
    began = time.monotonic()
    done = terminal.remora("demo", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    statements = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAIL"))]
    assert len(statements) == 8
    assert "FAIL" not in done.stdout
    assert "remora up" in done.stdout
    assert not traces() - before
    print(f"took {time.monotonic() - began:.0f} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing(terminal: Terminal, number: signal.Signals) -> None:
    before = traces()
    with terminal.start("demo") as process:
        wait_for(lambda: len(traces() - before) > 2, "cluster of the demonstration")
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode != 0
    wait_for(lambda: not traces() - before, "end of everything", within=10)
