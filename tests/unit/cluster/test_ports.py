"""Obstacles to listening, seen on real sockets."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from remora.cluster import ports
from remora.cluster.ports import find_holder, find_obstacle, free_port

ADDRESS = "127.250.1.1"


def test_a_free_port_has_no_obstacle() -> None:
    assert find_obstacle(ADDRESS, free_port(ADDRESS)) is None


def test_a_free_port_is_none_that_a_connection_or_a_service_could_be_given() -> None:
    chosen_by_the_kernel = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(1024 < free_port(ADDRESS) < min(chosen_by_the_kernel, 30000) for _ in range(20))


def test_there_is_no_free_port_on_an_address_of_others() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        free_port("192.0.2.1")


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        obstacle = find_obstacle(ADDRESS, port)
        assert obstacle is not None
        assert obstacle.in_use
        assert obstacle.holder is not None
        assert obstacle.holder.pid == os.getpid()
        assert f"(pid {os.getpid()})" in str(obstacle)


def test_somebody_on_all_addresses_holds_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        holder = find_holder(ADDRESS, server.getsockname()[1])
        assert holder is not None
        assert holder.pid == os.getpid()


def test_an_address_of_another_machine_cannot_be_used() -> None:
    obstacle = find_obstacle("192.0.2.1", 8080)
    assert obstacle is not None
    assert not obstacle.in_use


def test_a_holder_that_lives_is_not_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        before = find_obstacle(ADDRESS, port)
        monkeypatch.setattr(ports, "find_holder", lambda *_: pytest.fail("looked through all processes again"))
        assert find_obstacle(ADDRESS, port, before=before) == before
    assert find_obstacle(ADDRESS, port, before=before) is None


def test_the_next_holder_is_named() -> None:
    with _another_process_on(0) as (port, pid):
        before = find_obstacle(ADDRESS, port)
        assert before is not None
        assert before.holder is not None
        assert before.holder.pid == pid
    with socket.create_server((ADDRESS, port)):
        obstacle = find_obstacle(ADDRESS, port, before=before)
    assert obstacle is not None
    assert obstacle.holder is not None
    assert obstacle.holder.pid == os.getpid()


@contextmanager
def _another_process_on(port: int) -> Iterator[tuple[int, int]]:
    """Port and process id of a process that listens until the end of the block."""
    program = (
        f"import socket, time; s = socket.create_server(({ADDRESS!r}, {port}));"
        "print(s.getsockname()[1], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        process.kill()
