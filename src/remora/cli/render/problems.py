"""Problems for people and for programs."""

import textwrap
from collections import Counter
from collections.abc import Iterator
from shutil import get_terminal_size
from sys import stdout

from remora.cli.options import Output
from remora.cli.problem_source import Found, ProblemRow
from remora.cli.render import NOTE, say, table
from remora.cli.render.look import Marked, Meaning, clean, document, has_colour, painted, state, table_lines

COLUMNS = ("SEVERITY", "OBJECT", "FIELD", "CODE", "WHAT IS WRONG", "WHAT IT MEANS", "WHAT TO DO")
_NARROWEST = 40


def show_problems(found: Found, output: Output) -> None:
    """All of them once."""
    for note in found.notes:
        say(f"{NOTE}{note}")
    if document(found.problems, output):
        return
    if output is Output.WIDE:
        table(COLUMNS, [_cells(one) for one in found.problems], output)
    else:
        for line in problem_lines(found, get_terminal_size().columns if stdout.isatty() else None, has_colour()):
            print(line)
    say(summary(found))


def watched_lines(found: Found, width: int | None, colour: bool, *, output: Output) -> Iterator[str]:
    """The same with the summary, for watching."""
    if output is Output.WIDE and found.problems:
        yield from table_lines(COLUMNS, [_cells(one) for one in found.problems], colour=colour)
    else:
        yield from problem_lines(found, width, colour)
    yield from (f"{NOTE}{clean(note)}" for note in found.notes)
    yield summary(found)


def problem_lines(found: Found, width: int | None, colour: bool) -> Iterator[str]:
    """For each problem where it is, what is wrong, what that means and what to do."""
    for one in found.problems:
        severity = state(one.severity)
        where = clean(f"{_object(one)}: {one.field}")
        yield f"{painted(one.severity, severity, colour=colour)}: {_bold(where, colour)} ({clean(one.code)})"
        for name, text in (("wrong", one.message), ("means", one.consequence), ("to do", one.advice)):
            yield from _wrapped(f"  {name:<7}", clean(text), width)
        yield ""


def summary(found: Found) -> str:
    """One line."""
    if not found.problems:
        return "No problems." if found.is_whole else "No problems in what could be read."
    counts = Counter(one.severity for one in found.problems)
    parts = [f"{count} {word}" if count == 1 else f"{count} {word}s" for word, count in sorted(counts.items())]
    return f"{len(found.problems)} {'problem' if len(found.problems) == 1 else 'problems'}: {', '.join(parts)}"


def _cells(one: ProblemRow) -> tuple[Marked | str, ...]:
    return (state(one.severity), _object(one), one.field, one.code, one.message, one.consequence, one.advice)


def _object(one: ProblemRow) -> str:
    return f"{one.kind} {one.namespace}/{one.name}" if one.namespace else f"{one.kind} {one.name}"


def _bold(text: str, colour: bool) -> str:
    return painted(text, Marked(text, Meaning.HEADING), colour=colour)


def _wrapped(before: str, text: str, width: int | None) -> Iterator[str]:
    if width is None:
        yield before + text
        return
    lines = textwrap.wrap(text, max(_NARROWEST, width) - len(before), break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        yield (" " * len(before) if number else before) + line
