"""The program depends on the settings only."""

import msgspec
import pytest

from remora.core.settings import ProxySettings
from remora.haproxy.program import program_digest, render_program

SETTINGS = ProxySettings(state_directory="/state")


def test_the_program_names_its_own_digest() -> None:
    assert f"set-var proc.program str({program_digest(SETTINGS)})" in render_program(SETTINGS)


@pytest.mark.parametrize("change", [{"http_port": 81}, {"server_timeout": 61}, {"bind_addresses": ("::1",)}])
def test_every_setting_that_matters_changes_the_digest(change: dict[str, object]) -> None:
    assert program_digest(msgspec.structs.replace(SETTINGS, **change)) != program_digest(SETTINGS)


def test_threads_and_connections_are_left_to_haproxy_unless_given() -> None:
    assert "nbthread" not in render_program(SETTINGS)
    limited = msgspec.structs.replace(SETTINGS, threads=2, maximum_connections=100)
    assert "    nbthread 2\n    maxconn 100\n" in render_program(limited)
