"""Lines of a log, from pieces that end anywhere."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.dashboard.log_lines import MOST_LINES, Line, Lines, Wish, has_words, moment, parse_line, parse_wish

LOG = b"2026-01-01T00:00:00.1Z one\n2026-01-01T00:00:00.2Z \n2026-01-01T00:00:01Z three"


def read(pieces: Sequence[bytes], after: str = "") -> list[Line]:
    lines, found = Lines(after), list[Line]()
    for piece in pieces:
        found += lines.feed(piece)
    return [*found, *lines.end()]


@given(st.lists(st.integers(0, len(LOG)), max_size=6))
def test_lines_are_the_same_wherever_the_pieces_end(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(LOG)]
    pieces = [LOG[start:end] for start, end in pairwise(edges)]
    assert [line.text for line in read(pieces)] == ["one", "", "three"]


def test_lines_up_to_the_one_that_was_seen_are_left_out() -> None:
    assert [line.text for line in read([LOG], "2026-01-01T00:00:00.2Z")] == ["three"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.15Z"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z"),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:01Z"),
    ],
)
def test_times_are_compared_as_times(earlier: str, later: str) -> None:
    assert [line.at for line in read([f"{earlier} a\n{later} b\n".encode()], earlier)] == [later]


@pytest.mark.parametrize("text", ["", "2026", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "x" * 50])
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None


def test_the_end_of_a_log_without_an_end_of_line_is_told() -> None:
    lines = Lines()
    assert list(lines.feed(b"no end")) == []
    assert [line.text for line in lines.end()] == ["no end"]
    assert list(lines.end()) == []


def test_a_line_without_end_is_cut_and_not_kept_for_ever() -> None:
    lines = Lines()
    cut = [line for _ in range(40) for line in lines.feed(b"x" * 10_000)]
    assert cut
    assert all(len(line.text) <= 16_384 for line in cut)


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        (b"2026-01-01T00:00:00Z hello", "2026-01-01T00:00:00Z", "hello"),
        (b"hello world", "", "hello world"),
        (b"2026-01-01T00:00:00Z \x1b[1;31mred\x1b[0m\r", "2026-01-01T00:00:00Z", "red"),
        (b"\xff\xfe", "", "\ufffd\ufffd"),
        (b"", "", ""),
    ],
)
def test_a_line_is_its_time_and_its_text_without_colours(raw: bytes, at: str, text: str) -> None:
    assert parse_line(raw) == Line(at, text)


def test_a_log_is_looked_through_whatever_the_case() -> None:
    assert has_words(Line("", "An Error"), "error")
    assert not has_words(Line("", "fine"), "error")


@pytest.mark.parametrize(("lines", "number"), [("", 200), ("7", 7), ("0", 1), ("99999", MOST_LINES), ("-3", 200), ("x", 200)])
def test_the_number_of_lines_stays_within_bounds(lines: str, number: int) -> None:
    assert parse_wish({"lines": lines}, ("main",)).lines == number


def test_what_is_no_container_of_the_pod_becomes_its_first() -> None:
    assert parse_wish({"container": "../x"}, ("main", "side")).container == "main"
    assert parse_wish({"container": "side", "previous": "1"}, ("main", "side")) == Wish("side", previous=True)
    assert parse_wish({}, ()).container == ""


def test_a_stream_goes_on_from_the_second_in_which_it_broke() -> None:
    wish = Wish("main", lines=5)
    assert wish.parameters(follow=True)["tailLines"] == "5"
    assert wish.parameters(follow=True)["follow"] == "true"
    assert wish.parameters(follow=True, since="2026-01-01T01:00:00.25+01:00")["sinceTime"] == "2026-01-01T00:00:00Z"
    assert "sinceTime" not in wish.parameters(follow=True, since="no time\r\n")
    assert "follow" not in Wish("main", previous=True).parameters(follow=True)
