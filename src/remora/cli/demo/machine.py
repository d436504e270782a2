"""The demonstration's cluster: `remora up` as a process of its own, in a temporary home that is removed afterwards."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from remora.cli.api import Api
from remora.cli.status import find_entry
from remora.core.errors import RemoraError

PROFILE = "demo"
START_TIMEOUT = 40.0
STOP_TIMEOUT = 20.0


class Machine(msgspec.Struct, frozen=True):
    """A running cluster: its API and the URL of its entry."""

    api: Api
    entry: str


@contextlib.contextmanager
def demo_cluster() -> Iterator[Machine]:
    """A cluster for as long as the context lasts.

    Raises:
        RemoraError: it does not start; the message ends with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="remora-demo-", ignore_cleanup_errors=True) as home:
        log = Path(home) / "up.log"
        process = _start(Path(home), log)
        try:
            yield _wait_started(process, Path(home) / PROFILE / "kubeconfig", log)
        finally:
            _stop(process)


def _start(home: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "remora", "up", "--profile", PROFILE, "--no-wait"]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches us alone, and we end the cluster in order.
        return subprocess.Popen(
            command,
            env={**os.environ, "REMORA_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _wait_started(process: "subprocess.Popen[bytes]", kubeconfig: Path, log: Path) -> Machine:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RemoraError(f"the cluster ended with exit code {process.returncode}:\n{_tail(log)}")
        if kubeconfig.exists() and (machine := _find_machine(kubeconfig)):
            return machine
        time.sleep(0.1)
    raise RemoraError(f"the cluster has no entry after {START_TIMEOUT:.0f} s:\n{_tail(log)}")


def _find_machine(kubeconfig: Path) -> Machine | None:
    try:
        api = Api(kubeconfig)
        entry = find_entry(api.read("/api/v1/services")["items"])
    except RemoraError:  # not up yet
        return None
    return Machine(api, entry) if entry else None


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
