"""Which ports the entry gets."""

import pytest

from remora.cluster.entry import Wish, decide_entry, decide_port
from remora.cluster.ports import Holder, Unbindable
from remora.core.errors import UsageError

HTTP = Wish("--http-port", 0, 0, (80, 8080))
HTTPS = Wish("--https-port", 0, 0, (443, 8443))


def wish(*, asked: int = 0, before: int = 0) -> Wish:
    return Wish("--http-port", asked, before, (80, 8080))


class Ports:
    """A machine on which some ports cannot be used."""

    def __init__(self, *, privileged: bool = True, used: tuple[int, ...] = ()) -> None:
        self.privileged = privileged
        self.used = used

    def find_obstacle(self, address: str, port: int) -> Unbindable | None:
        if port in self.used:
            holder = Holder(17, "caddy run")
            return Unbindable(address, port, in_use=True, why=f"is in use by {holder}", holder=holder)
        if port < 1024 and not self.privileged:
            return Unbindable(address, port, in_use=False, why="may only be used by root")
        return None

    def decide(self, wanted: Wish) -> tuple[int, tuple[str, ...]]:
        return decide_port("127.0.0.1", wanted, find_obstacle=self.find_obstacle, free_port=lambda _: 50000)


def test_the_entry_is_at_80_and_443_where_permitted() -> None:
    entry = decide_entry("127.0.0.1", (HTTP, HTTPS), find_obstacle=Ports().find_obstacle, free_port=lambda _: 50000)
    assert (entry.http_port, entry.https_port, entry.notes, entry.url) == (80, 443, (), "http://127.0.0.1")


def test_an_ordinary_user_gets_8080_without_a_word() -> None:
    assert Ports(privileged=False).decide(wish()) == (8080, ())


def test_a_port_in_use_is_passed_over_and_its_holder_named() -> None:
    port, notes = Ports(used=(80,)).decide(wish())
    assert port == 8080
    assert notes == ("127.0.0.1:80 is in use by caddy run (pid 17); choose another with --http-port PORT",)


def test_a_free_port_is_the_last_resort() -> None:
    assert Ports(used=(80, 8080)).decide(wish())[0] == 50000


def test_the_port_of_the_last_start_is_kept() -> None:
    assert Ports().decide(wish(before=9999)) == (9999, ())


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_with_the_next_step() -> None:
    with pytest.raises(UsageError, match=r"in use by caddy run \(pid 17\)\. End that process \(kill 17\) or choose another"):
        Ports(used=(9999,)).decide(wish(asked=9999))


def test_http_and_https_cannot_have_one_port() -> None:
    wishes = (Wish("--http-port", 9000, 0, (80, 8080)), Wish("--https-port", 9000, 0, (443, 8443)))
    with pytest.raises(UsageError, match="port 9000 cannot be for both HTTP and HTTPS; choose others with --http-port"):
        decide_entry("127.0.0.1", wishes, find_obstacle=Ports().find_obstacle, free_port=lambda _: 50000)
