"""What holds for all tests: the order of the files, and that a busy machine is no failure."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Other processes may have both cores for a second: that says nothing about what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("patient")

ROOT = Path(__file__).parent
LONGEST = (
    "cluster/test_up_and_down.py",
    "features/test_configmap.py",
    "cluster/test_thousand_sessions.py",
    "features/test_access.py",
    "cluster/test_draining.py",
    "features/test_no_reload.py",
    "features/test_draining.py",
    "cluster/test_demo.py",
    "features/test_controller_end_to_end.py",
    "features/test_request_smuggling.py",
    "cluster/test_sessions_under_load.py",
    "features/test_external_auth.py",
    "cluster/test_sessions_command.py",
    "features/test_limits.py",
    "cluster/test_kubelet_pods.py",
    "features/test_services.py",
    "features/test_peers.py",
    "chaos/test_faults.py",
)
"""Files that take longer than 15 s. Whole clusters stand between others, so that few of them start at a time."""
REST = ("cluster", "features", "properties")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first: a worker that takes one of them at the end would be waited for by all the others."""
    items.sort(key=lambda item: _turn(item.path.relative_to(ROOT)))


def _turn(file: Path) -> int:
    if str(file) in LONGEST:
        return LONGEST.index(str(file))
    return len(LONGEST) + (REST.index(file.parts[0]) if file.parts[0] in REST else len(REST))
