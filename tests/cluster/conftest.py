"""A local cluster as a person starts it: `remora up` as a process, in a home of its own."""

import shutil
from collections.abc import Iterator

import pytest

from tests.cluster.terminal import NewTerminal, Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal without a cluster; what was started in it is ended afterwards."""
    with NewTerminal() as made:
        yield made


@pytest.fixture(scope="module")
def cluster() -> Iterator[Terminal]:
    """A terminal with a running cluster, profile `test`."""
    with NewTerminal() as made:
        done = made.remora("up", "--detach", "--profile", "test")
        log = made.home / "test" / "cluster.log"
        assert done.returncode == 0, f"{done.stderr}\n{log.read_text() if log.exists() else ''}"
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without kubectl what needs it is skipped, with a line that says so."""
    if shutil.which("kubectl"):
        return
    for item in items:
        if item.get_closest_marker("kubectl"):
            item.add_marker(pytest.mark.skip(reason="kubectl is not on this machine"))
