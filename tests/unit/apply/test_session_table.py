"""The parser of `show table sessions`, on text as HAProxy 2.8 writes it."""

import pytest

from remora.apply.session_table import SessionTableReader, parse_sessions
from remora.model import RouteId
from remora.plan.outcome import LiveSession

ROUTE, SERVER, SESSION = "0123456789abcdef", "00112233445566778899", "ab" * 16
HEAD = "# table: sessions, type: string, size:1048576, used:2\n"


def line(identifier: str = SESSION, *, use: int = 0, exp: int = 3_599_000) -> str:
    return f"0x78f5768: key={ROUTE}/{SERVER}/{identifier} use={use} exp={exp} shard=0 gpc0=0\n"


def test_an_entry_is_a_session_with_its_idle_time() -> None:
    assert parse_sessions(HEAD + line() + "\n", 3600) == (LiveSession(RouteId(ROUTE), SERVER, SESSION, 1.0, False),)


def test_an_entry_that_a_stream_holds_is_in_use() -> None:
    (session,) = parse_sessions(HEAD + line(use=2), 3600)
    assert session.in_use


def test_a_table_with_a_longer_time_than_ours_gives_no_negative_idle_time() -> None:
    (session,) = parse_sessions(line(exp=7_200_000), 3600)
    assert session.idle_seconds == 0.0


@pytest.mark.parametrize(
    "reply",
    ["", HEAD, "No such table\n", "0x1: key=too-few/parts use=0 exp=1 gpc0=0\n", "0x1: key=a/b/c/d use=0 exp=1 gpc0=0\n"],
)
def test_what_is_no_session_says_nothing(reply: str) -> None:
    assert parse_sessions(reply, 3600) == ()


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_a_reply_may_be_cut_anywhere(size: int) -> None:
    text = (HEAD + "".join(line(f"{number:032x}") for number in range(50))).encode()
    reader = SessionTableReader(3600)
    for start in range(0, len(text), size):
        reader.feed(text[start : start + size])
    assert [int(session.id, 16) for session in reader.finish()] == list(range(50))


def test_names_of_servers_are_one_text_in_all_their_sessions() -> None:
    first, second = parse_sessions(line("1") + line("2"), 3600)
    assert first.server is second.server
