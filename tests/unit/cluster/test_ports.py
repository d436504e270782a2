"""Obstacles to listening, seen on real sockets."""

import os
import socket

from remora.cluster.ports import find_holder, find_obstacle, free_port

ADDRESS = "127.250.1.1"


def test_a_free_port_has_no_obstacle() -> None:
    assert find_obstacle(ADDRESS, free_port(ADDRESS)) is None


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
