"""The tests of `examples/operator` pass: somebody else's project with Remora's plugin."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/operator"


@pytest.mark.skipif(find_spec("kopf") is None, reason="kopf is not installed")
def test_the_example_s_own_tests_pass() -> None:
    # What else is installed here takes seconds to load, and that project would not have it.
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "remora.testing.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=EXAMPLE, env=alone, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
