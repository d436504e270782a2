"""Quoting: whatever a word holds, it stays one word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.haproxy.grammar import address_and_port, directive, literal, quote, render_directive, render_sections, rule, section

printable = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


def words_of(line: str) -> list[str]:
    """HAProxy's reading of a line (configuration manual, section 2.2)."""
    words: list[str] = []
    word: str | None = None
    quoted = ""
    characters = iter(line)
    for character in characters:
        if quoted == "'":
            word, quoted = (word, "") if character == "'" else ((word or "") + character, quoted)
        elif character == "\\":
            word = (word or "") + next(characters)
        elif character == '"':
            word, quoted = word or "", "" if quoted else '"'
        elif character == "'" and not quoted:
            word, quoted = word or "", "'"
        elif character == " " and not quoted:
            words += [] if word is None else [word]
            word = None
        elif character == "#" and not quoted:
            break
        else:
            assert not (quoted == '"' and character == "$")
            word = (word or "") + character
    assert not quoted
    return words + ([] if word is None else [word])


@given(st.lists(printable.filter(bool), min_size=1))
def test_words_are_read_back_as_they_were(words: list[str]) -> None:
    assert words_of(render_directive(directive(*words))) == words


@given(printable)
def test_an_empty_or_odd_word_is_still_one_word(word: str) -> None:
    assert words_of(quote(word) if word else "''") == [word]


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x1b", "\x7f"])
def test_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quote(f"a{character}b")


def test_sections_are_written_with_their_lines_indented() -> None:
    part = section("backend", "a b", lines=[rule("http-request deny", when="{ path /x }")])
    assert render_sections([part]) == "backend 'a b'\n    http-request deny if { path /x }\n"


def test_a_literal_is_not_expanded_by_a_log_format() -> None:
    assert literal("100% %[src]") == "100%% %%[src]"


@pytest.mark.parametrize(("address", "written"), [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")])
def test_an_address_is_written_with_its_port(address: str, written: str) -> None:
    assert address_and_port(address, 80) == written
