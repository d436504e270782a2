"""The one look: tables that fit, colours that mean something, ages, and data that is the same in JSON and YAML."""

import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remora.cli.options import Output
from remora.cli.render.look import (
    Cell,
    Marked,
    Meaning,
    age,
    age_since,
    cell_width,
    document_text,
    fitted,
    has_colour,
    shrunk,
    state,
    step_lines,
    table_lines,
)

ROWS: list[tuple[Cell, ...]] = [
    ("web-a", 5, state("ready")),
    ("web-b-with-a-long-name", 1200, state("draining")),
    ("c", None, ""),
]

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=12,
)


def test_numbers_stand_at_the_right_and_all_else_at_the_left() -> None:
    assert list(table_lines(("POD", "SESSIONS", "STATE"), ROWS)) == [
        "POD                      SESSIONS   STATE",
        "web-a                           5   ready",
        "web-b-with-a-long-name       1200   draining",
        "c                               -",
    ]


def test_addresses_are_no_numbers() -> None:
    rows = [("127.0.0.1", "5/10", "0.5 %", "-"), ("10.20.30.40", "1", "100.0 %", "-")]
    assert list(table_lines(("IP", "SESSIONS", "SHARE", "URL"), rows))[1:] == [
        "127.0.0.1         5/10     0.5 %   -",
        "10.20.30.40          1   100.0 %   -",
    ]


def test_the_widest_column_gives_way_and_numbers_never_do() -> None:
    lines = list(table_lines(("POD", "SESSIONS", "STATE"), ROWS, width=32))
    assert max(map(cell_width, lines)) <= 32
    assert lines[2] == "web-b-wit…       1200   draining"


def test_of_a_name_that_is_cut_its_end_is_kept() -> None:
    rows = [("sticky-d-7d9f8-abcde", "default/sticky-d:8080"), ("sticky-d-7d9f8-fghij", "default/sticky-d:8080")]
    lines = list(table_lines(("POD", "SERVICE"), rows, width=32, least=(14, 8)))
    assert [line.split()[0] for line in lines[1:]] == ["sticky-d…abcde", "sticky-d…fghij"]
    assert max(map(cell_width, lines)) <= 32


def test_no_column_is_cut_beyond_recognition() -> None:
    assert shrunk([40, 30, 4], 10) == [8, 8, 4]


def test_states_have_one_colour_each_and_blanks_have_none() -> None:
    lines = list(table_lines(("STATE", "X"), [(state("ready"), "y"), (state("Not ready"), "y"), ("other", "y")], colour=True))
    assert lines == [
        "\033[1mSTATE\033[0m       \033[1mX\033[0m",
        "\033[32mready\033[0m       y",
        "\033[31mNot ready\033[0m   y",
        "other       y",
    ]


def test_what_somebody_wrote_into_an_object_moves_no_cursor() -> None:
    evil = "\x1b]0;title\x07a\nb\u202ec\x9b2J"
    (_, line) = table_lines(("A",), [(Marked(evil, Meaning.BAD),)])
    assert line == "\\x1b]0;title\\x07a\\nb\\x202ec\\x9b2J"
    assert list(step_lines([("note", evil)])) == [f"note     {line}"]


def test_wide_characters_take_two_columns() -> None:
    assert cell_width("日本") == 4
    assert fitted("日本語", 5) == "日本…"
    assert fitted("日本", 6, right=True) == "  日本"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0.4, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (7 * 3600 + 60, "7h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (750 * 86400, "2y20d"),
        (3000 * 86400, "8y"),
    ],
)
def test_ages_are_those_of_kubectl(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_an_object_is_as_old_as_its_creation_timestamp_says() -> None:
    assert age_since("1970-01-01T00:01:40Z", 105.0) == "5s"
    assert age_since("", 105.0) == "<unknown>"


@given(_DATA)
def test_yaml_says_what_json_says(value: object) -> None:
    assert yaml.safe_load(document_text(value, Output.YAML)) == json.loads(document_text(value, Output.JSON))


@pytest.mark.parametrize(
    "text", ["=", "yes", "1e3", "0x1f", "2001-01-01", "null", "~", "", " a", "a: b", "- a", "\x85", "<<", "1_0"]
)
def test_words_that_yaml_reads_otherwise_are_quoted(text: str) -> None:
    assert yaml.safe_load(document_text([{text: text}], Output.YAML)) == [{text: text}]


def test_documents_in_a_row_can_be_told_apart() -> None:
    documents = "\n".join(document_text({"a": number}, Output.YAML, in_one_line=True) for number in (1, 2))
    assert list(yaml.safe_load_all(documents)) == [{"a": 1}, {"a": 2}]


def test_there_is_no_colour_elsewhere_than_on_a_terminal_or_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert not has_colour()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert has_colour()
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colour()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colour()
