"""Dockerfiles as text."""

import pytest

from remora.cluster.images.dockerfile import DockerfileError, parse_dockerfile, without_heredocs
from remora.cluster.images.ignored import is_ignored, parse_ignored
from remora.cluster.images.stages import needed, parse_stages
from remora.cluster.images.words import WordsError, json_form, pairs, substituted

TEXT = """# syntax=docker/dockerfile:1
# a comment
from python:3.11 AS base
RUN pip install a \\
    # a comment within

    && pip install b
COPY --chown=1:1 --from=base a b
RUN <<-'ONE' cat <<TWO
\tfirst $A
\tONE
second
TWO
CMD ["x"]
"""


def test_continuations_comments_flags_and_heredocs_are_read() -> None:
    found = parse_dockerfile(TEXT)
    assert [(item.name, item.line) for item in found] == [("FROM", 3), ("RUN", 4), ("COPY", 8), ("RUN", 9), ("CMD", 14)]
    assert found[1].text.split() == ["pip", "install", "a", "&&", "pip", "install", "b"]
    assert found[2].flags == {"chown": "1:1", "from": "base"}
    assert [(item.name, item.text, item.is_literal) for item in found[3].heredocs] == [
        ("ONE", "first $A\n", True),
        ("TWO", "second\n", False),
    ]
    assert without_heredocs(found[3].text) == "cat"


def test_another_escape_character_continues_lines() -> None:
    found = parse_dockerfile("# escape=`\nFROM a\nRUN one `\n two\\\n")
    assert found[1].text.split() == ["one", "two\\"]


@pytest.mark.parametrize(("text", "line"), [("FROM a\nRUM b\n", 2), ("FROM a\nRUN <<X\nbody\n", 2), ("# escape=x\nFROM a", 1)])
def test_what_cannot_be_read_names_its_line(text: str, line: int) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$A/${A}x", "1/1x"),
        ("${B:-two} ${A:-two}", "two 1"),
        ("${A:+set}${B:+set}", "set"),
        ("${E:-empty} ${E-empty}", "empty "),
        (r"\$A '$A' $B.", "$A '$A' ."),
    ],
)
def test_variables_are_replaced_as_docker_does(text: str, wanted: str) -> None:
    assert substituted(text, {"A": "1", "E": ""}) == wanted


def test_a_variable_that_must_be_there_says_what_is_missing() -> None:
    with pytest.raises(WordsError, match="B has no value: give it"):
        substituted("${B:?give it}", {})


def test_pairs_come_in_both_forms() -> None:
    assert list(pairs('A=1 B="two words" C=$X', {"X": "x"})) == [("A", "1"), ("B", "two words"), ("C", "x")]
    assert list(pairs("A the rest of it", {})) == [("A", "the rest of it")]
    assert json_form('["a", "b"]') == ("a", "b")
    assert json_form("[a, b]") is None


def test_only_the_stages_that_the_target_needs_are_made() -> None:
    text = "ARG V=3.12\nFROM python:$V-slim AS a\nFROM scratch AS unused\nFROM a AS b\nFROM x\nCOPY --from=b /x /x\n"
    stages, known = parse_stages(parse_dockerfile(text), {"V": "3.13"})
    assert (known, stages[0].python) == ({"V": "3.13"}, "3.13")
    assert [stage.index for stage in needed(stages, stages[3])] == [0, 2, 3]
    assert [stage.index for stage in needed(stages, stages[1])] == [1]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a.log", True),
        ("deep/a.log", False),
        ("node_modules/x/y", True),
        ("deep/er/x.pyc", True),
        ("keep.md", False),
        ("other.md", True),
        ("app.py", False),
    ],
)
def test_ignored_files_are_those_of_the_last_line_that_matches(path: str, wanted: bool) -> None:
    rules = parse_ignored("# comment\n*.log\n/node_modules\n**/*.pyc\n*.md\n!keep.md\n")
    assert is_ignored(path, rules) is wanted
