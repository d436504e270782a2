"""`remora demo`, and that nothing is left of it."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.terminal import Terminal, wait_for

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where demonstrations have their homes: a place of the test's own, since others may show one at the same time."""
    with tempfile.TemporaryDirectory(prefix="r-", dir="/tmp") as directory:
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory)


def traces(place: Path) -> set[str]:
    """Homes of demonstrations, and processes that know one."""
    listed = subprocess.run(["ps", "axww", "-o", "command"], capture_output=True, text=True, check=True).stdout
    processes = {line for line in listed.splitlines() if f"{place}/" in line and "ps axww" not in line}
    return processes | {str(path) for path in place.glob("remora-demo-*")}


def test_every_statement_holds_and_nothing_is_left(terminal: Terminal, place: Path) -> None:
    began = time.monotonic()
    done = terminal.remora("demo", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    statements = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "FAIL"))]
    assert len(statements) == 8
    assert "FAIL" not in done.stdout
    assert "remora up" in done.stdout
    assert not traces(place)
    print(f"took {time.monotonic() - began:.0f} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing(terminal: Terminal, place: Path, number: signal.Signals) -> None:
    with terminal.start("demo") as process:
        wait_for(lambda: len(traces(place)) > 2, "cluster of the demonstration")
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode != 0
    wait_for(lambda: not traces(place), "end of everything")
