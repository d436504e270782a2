"""What a person types in a terminal, in a home of its own, and waiting for what comes of it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[2]
REMORA = Path(sys.executable).parent / "remora"
PATIENCE = 60.0

T = TypeVar("T")


def wait_for(find: Callable[[], T | None], what: str, *, within: float = PATIENCE) -> T:
    """Asks until there is an answer."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.1)
    pytest.fail(f"still no {what} after {within:.0f} s")


@dataclass
class Terminal:
    """What a person types, in a home of their own. Commands run in the repository's root, without an activated venv."""

    home: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REMORA_") and name != "VIRTUAL_ENV"}
        return {**kept, "REMORA_HOME": str(self.home), "HOME": str(self.home)}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [REMORA, *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def remora(self, *arguments: str, timeout: float = 90) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [REMORA, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def kubectl(self, *arguments: str, profile: str = "test") -> str:
        """The output; a failure fails the test with what kubectl said."""
        done = self.try_kubectl(*arguments, profile=profile)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def try_kubectl(self, *arguments: str, profile: str = "test") -> "subprocess.CompletedProcess[str]":
        kubectl = shutil.which("kubectl")
        assert kubectl
        environment = {**self.environment, "KUBECONFIG": str(self.home / profile / "kubeconfig")}
        return subprocess.run(
            [kubectl, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )


class NewTerminal:
    """A home with a short path (sockets lie in it), and no cluster left in it at the end."""

    def __enter__(self) -> Terminal:
        self._home = tempfile.mkdtemp(prefix="remora-t-", dir="/tmp")
        self._terminal = Terminal(Path(self._home))
        return self._terminal

    def __exit__(self, *_: object) -> None:
        for profile in self._terminal.home.iterdir():
            if (profile / "profile.json").exists():
                self._terminal.remora("delete", "--yes", "--profile", profile.name)
        shutil.rmtree(self._home, ignore_errors=True)
