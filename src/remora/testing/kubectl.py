"""kubectl as tests use it: the machine's own, against one cluster, with caches in the cluster's folder."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

_PATIENCE = 60.0


class KubectlFailed(AssertionError):
    """kubectl ended with an error; the message is what it said."""


class Kubectl:
    """Runs kubectl: `kubectl("get", "pods")` gives its output, or fails the test with what it said."""

    def __init__(self, *, kubeconfig: Path, home: Path) -> None:
        self._kubeconfig = kubeconfig
        self._home = home

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("kubectl") is not None

    @property
    def environment(self) -> dict[str, str]:
        """For processes that are to see the cluster as kubectl does."""
        return {**os.environ, "KUBECONFIG": str(self._kubeconfig), "HOME": str(self._home)}

    def __call__(self, *arguments: str, given: str = "", timeout: float = _PATIENCE) -> str:
        """What it printed; `given` is its standard input.

        Raises:
            KubectlFailed: it ended with an error.
        """
        done = self.tried(*arguments, given=given, timeout=timeout)
        if done.returncode:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout

    def tried(self, *arguments: str, given: str = "", timeout: float = _PATIENCE) -> "subprocess.CompletedProcess[str]":
        """How it ended, whichever way."""
        return subprocess.run(
            ["kubectl", *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """What it printed with `-o json`, read."""
        return json.loads(self(*arguments, "-o", "json"))

    def apply(self, *objects: dict[str, Any] | str) -> str:
        """Applies objects, or the YAML of some."""
        texts = (given if isinstance(given, str) else json.dumps(given) for given in objects)
        return self("apply", "-f", "-", given="\n---\n".join(texts))
