"""Prints at the end what each fault has cost."""

from collections.abc import Iterator

import pytest

from remora.core.settings import ProxySettings
from tests.chaos.table import ROWS, rendered
from tests.features.conftest import new_settings


@pytest.fixture
def proxy_settings() -> Iterator[ProxySettings]:
    with new_settings() as settings:
        yield settings


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ROWS:
        terminalreporter.section("faults")
        for line in rendered(ROWS):
            terminalreporter.write_line(line)
