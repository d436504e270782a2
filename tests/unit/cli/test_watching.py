"""Showing something again and again where no terminal is."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
import yaml

from remora.cli.options import Output
from remora.cli.render.watching import Sight, watch
from remora.core.errors import RemoraError


def fetching(*results: str | Exception | type[BaseException]) -> Callable[[], Sight]:
    """Brings one after another, and then Ctrl-C."""
    waiting = iter(results)

    def fetch() -> Sight:
        one = next(waiting, KeyboardInterrupt)
        if not isinstance(one, str):
            raise one
        return Sight(lambda width, colour: (f"{one} {width} {colour}",), {"said": one})

    return fetch


def watched(capsys: pytest.CaptureFixture[str], output: Output, results: Sequence[str | Exception]) -> tuple[str, str]:
    watch(fetching(*results), output, pause=0)
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_what_is_the_same_is_not_printed_again_and_who_does_not_answer_is_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, err = watched(capsys, Output.TEXT, ("a", "a", RemoraError("nobody answers"), "b"))
    assert out == "a None False\n\nb None False\n\n"
    assert err == "note: nobody answers\n"


def test_documents_come_one_after_another(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = watched(capsys, Output.JSON, ("a", RemoraError("x"), "a"))
    assert [json.loads(line) for line in out.splitlines()] == [{"said": "a"}, {"said": "a"}]
    out, _ = watched(capsys, Output.YAML, ("a", "b"))
    assert list(yaml.safe_load_all(out)) == [{"said": "a"}, {"said": "b"}]


def test_without_a_first_answer_there_is_nothing_to_watch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RemoraError, match="nobody"):
        watch(fetching(RemoraError("nobody answers")), Output.TEXT, pause=0)


def test_nothing_is_printed_again_of_which_only_the_ages_are_others(capsys: pytest.CaptureFixture[str]) -> None:
    ages = iter(range(9))
    results = iter(("a", "a", "b"))

    def fetch() -> Sight:
        one = next(results, None)
        if one is None:
            raise KeyboardInterrupt
        return Sight(lambda width, colour: (f"{one} {next(ages)}",), one, essence=one)

    watch(fetch, Output.TEXT, pause=0)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines() if line] == ["a", "b"]


NEVER_CHANGES = """
from remora.cli.options import Output
from remora.cli.render.watching import Sight, watch
watch(lambda: Sight(lambda width, colour: ("a",), {}), Output.TEXT, pause=3600)
"""


def test_it_ends_when_nobody_reads_along_also_if_nothing_changes_any_more() -> None:
    process = subprocess.Popen([sys.executable, "-c", NEVER_CHANGES], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == b"a\n"
    process.stdout.close()
    assert b"BrokenPipeError" in process.stderr.read()
    assert process.wait(60) == 1
    process.stderr.close()
