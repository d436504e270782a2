"""Every command's help has examples, and the examples are commands that there are."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from remora.cli.catalogue import EXAMPLES, SECTIONS
from remora.cli.controller_flags import FLAGS
from remora.cli.flags import parse_flags
from remora.cli.main import app
from remora.core.errors import UsageError

FLAG_COMMANDS = ("controller", "webhook")
"""Their flags are those of ingress-nginx, and not of this parser."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if inner := getattr(command, "commands", None):
        for name, one in inner.items():
            yield from leaves(one, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(typer.main.get_command(app)))


def test_every_command_has_examples_and_a_place_in_the_list() -> None:
    assert {name for name in COMMANDS if not EXAMPLES.get(name)} == set()
    assert set(EXAMPLES) == set(COMMANDS)
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted({name.partition(" ")[0] for name in COMMANDS})


@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_ends_with_the_examples_as_they_are_to_be_typed(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0, result.output
    _, _, examples = result.output.partition("Examples:\n")
    assert [line.strip() for line in examples.splitlines()] == [line.strip() for line in EXAMPLES[name]]


def test_commands_are_listed_under_headings() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    assert [heading for heading in SECTIONS if f"\n{heading}:\n" in text] == list(SECTIONS)
    assert "Others:" not in text


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in FLAG_COMMANDS])
def test_every_option_stands_once_and_what_commands_share_under_the_same_heading(name: str) -> None:
    text = CliRunner().invoke(app, [*name.split(), "--help"]).output.partition("Examples:\n")[0]
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            assert len(re.findall(rf"^  (?:-\w, )?{parameter.opts[0]}(?![\w-])", text, re.MULTILINE)) == 1
    if "--output" in text:
        assert text.index("How it is shown:") < text.index("--output")
    for option in ("--kubeconfig", "--profile"):
        if option in text:
            assert text.index("Which cluster:") < text.index(option)


def invocations() -> Iterator[tuple[str, list[str]]]:
    for name, lines in EXAMPLES.items():
        for line in lines:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|>()")
            lexer.whitespace_split = True
            words = list(lexer)
            rest = words[words.index("remora") + 1 :]
            yield name, list(takewhile(lambda word: not set(word) <= set("|>()"), rest))


@pytest.mark.parametrize(("name", "words"), list(invocations()))
def test_an_example_is_of_its_command_and_its_options_exist(name: str, words: list[str]) -> None:
    depth = len(name.split())
    assert " ".join(words[:depth]) == name
    rest = words[depth:]
    if name in FLAG_COMMANDS:
        parse_flags(rest, FLAGS)
        return
    options = {option for parameter in COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    own = rest[: rest.index("--")] if "--" in rest else rest
    assert {word.partition("=")[0] for word in own if word.startswith("-") and word != "-"} <= options
    context = COMMANDS[name].make_context(name, list(rest), resilient_parsing=True)
    assert not context.args


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tail"], "say which pods"),
        (["tail", "("], "no regular expression"),
        (["tail", "web", "--since", "soon"], "--since: found 'soon', needed a number of seconds"),
        (["tail", "web", "--grep", "["], "--grep '['"),
    ],
)
def test_a_tail_that_cannot_be_says_what_to_type(words: list[str], said: str) -> None:
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, UsageError)
    assert said in str(error)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start"], "No such command 'start'. Did you mean 'up'?"),
        (["stop", "--profile", "a"], "No such command 'stop'. Did you mean 'down'?"),
        (["problems", "-o", "bogus"], "'--output' / '-o': 'bogus' is not one of 'table', 'wide', 'json', 'yaml'."),
    ],
)
def test_a_mistyped_word_is_answered_with_those_that_there_are(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_an_address_of_the_dashboard_without_tokens_is_not_passed_over() -> None:
    done = CliRunner().invoke(app, ["dashboard", "--host", "0.0.0.0"])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception) == "--host 0.0.0.0 needs --tokens: without them the dashboard listens on this machine only"
