"""The one look of all commands: tables, colours with one meaning each, ages, and data for programs.

On a terminal a table is no wider than it; elsewhere, and with `--output wide`, nothing is cut. There is no colour but on a
terminal, and none with NO_COLOR.
"""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from remora.cli.options import Output


class Meaning(Enum):
    """What a colour says, as the parameter of an escape sequence (ECMA-48, SGR)."""

    GOOD = "32"
    """It serves."""
    WARNING = "33"
    """It is on its way out, or somebody should look."""
    BAD = "31"
    """It does not work."""
    FAINT = "2"
    """It is there for completeness."""
    HEADING = "1"
    CHOSEN = "7"


class Marked(NamedTuple):
    """A text with its meaning."""

    text: str
    meaning: Meaning


Cell = Marked | str | int | float | None

STATES = {
    "ready": Meaning.GOOD,
    "active": Meaning.GOOD,
    "running": Meaning.GOOD,
    "draining": Meaning.WARNING,
    "terminating": Meaning.WARNING,
    "pending": Meaning.WARNING,
    "warning": Meaning.WARNING,
    "not ready": Meaning.BAD,
    "closed": Meaning.BAD,
    "error": Meaning.BAD,
    "gone": Meaning.FAINT,
    "down": Meaning.FAINT,
}

NARROWEST = 8
"""Columns are not cut to less."""
GAP = "   "
TAIL = 5
"""Letters at the end of a pod's name that tell it from others of its ReplicaSet."""
_NUMBER = re.compile(r"-|\d+(\.\d+)?(/\d+)?( %)?")
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def state(text: str) -> Marked | str:
    """A state in its colour."""
    meaning = STATES.get(text.lower())
    return Marked(text, meaning) if meaning else text


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[Cell]], *, whole: bool = False, least: Sequence[int] = ()
) -> None:
    """Prints a table and an empty line; nothing for no rows."""
    if not rows:
        return
    width = None if whole or not sys.stdout.isatty() else shutil.get_terminal_size().columns
    for line in table_lines(headings, rows, width=width, colour=has_colour(), least=least):
        print(line)
    print()


def table_lines(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    width: int | None = None,
    colour: bool = False,
    least: Sequence[int] = (),
) -> Iterator[str]:
    """Rows under headings in columns, as kubectl shows them; numbers stand at the right.

    Columns are cut to `least` at most, or to a few letters. Of names, which stand in the column that is cut least, the end is
    kept too: names of pods differ there.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(headings)
    is_number = [set(column) != {"-"} and all(_NUMBER.fullmatch(text) for text in column) for column in columns]
    widths = [max(map(cell_width, (name, *column))) for name, column in zip(headings, columns, strict=True)]
    if width is not None:
        widths = shrunk(widths, width, fixed=is_number, least=least)
    named = least.index(max(least)) if least else -1
    heads: list[Sequence[Cell]] = [[Marked(name, Meaning.HEADING) for name in headings]]
    for row in (*heads, *rows):
        parts = [
            painted(fitted(plain(cell), size, right=right, tail=TAIL * (number == named)), cell, colour=colour)
            for number, (cell, size, right) in enumerate(zip(row, widths, is_number, strict=True))
        ]
        yield GAP.join(parts).rstrip()


def shrunk(widths: Sequence[int], width: int, *, fixed: Sequence[bool] = (), least: Sequence[int] = ()) -> list[int]:
    """Widths of columns that fit: the widest gives way first, numbers never do, and none becomes unreadable."""
    found = list(widths)
    excess = sum(found) + len(GAP) * (len(found) - 1) - width
    floors = least or [NARROWEST] * len(found)
    may_shrink = [number for number in range(len(found)) if not (fixed and fixed[number])]
    while excess > 0 and (left := [number for number in may_shrink if found[number] > floors[number]]):
        found[max(left, key=lambda number: found[number])] -= 1
        excess -= 1
    return found


def plain(cell: Cell) -> str:
    """What a cell says, in one line, without anything that would move the cursor."""
    if cell is None:
        return "-"
    text = cell.text if isinstance(cell, Marked) else str(cell)
    return clean(text)


def clean(text: str) -> str:
    """Text in one line that a terminal cannot mistake for a command."""
    return _CONTROL.sub(lambda found: "\\n" if found[0] == "\n" else f"\\x{ord(found[0]):02x}", text)


def fitted(text: str, width: int, *, right: bool = False, tail: int = 0) -> str:
    """The text in so many columns of a terminal. What is cut ends with an ellipsis, and so many letters of its end."""
    if cell_width(text) > width and tail and width >= 2 * tail and text.isascii():
        text = f"{text[: width - tail - 1]}…{text[-tail:]}"
    elif cell_width(text) > width:
        while text and cell_width(text) > width - 1:
            text = text[:-1]
        text = f"{text}…" if width else ""
    padding = " " * (width - cell_width(text))
    return padding + text if right else text + padding


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def painted(text: str, cell: Cell, *, colour: bool) -> str:
    """A fitted text in its cell's colour; the blanks around it stay as they are."""
    if not (colour and isinstance(cell, Marked)) or not text.strip():
        return text
    bare = text.strip()
    before, _, after = text.partition(bare)
    return f"{before}\033[{cell.meaning.value}m{bare}\033[0m{after}"


def paint(text: str, meaning: Meaning) -> str:
    """A text in a colour, where there is any."""
    return painted(text, Marked(text, meaning), colour=has_colour())


def has_colour() -> bool:
    """Whether standard output shows colours, and the person wants them (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def age(seconds: float) -> str:
    """A time span as kubectl prints ages (apimachinery, `duration.HumanDuration`)."""
    if seconds < 0:
        return "<invalid>" if seconds <= -2 else "0s"
    whole = int(seconds)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    # Up to when (in seconds) what is told, and how many smaller parts beside it.
    for until, text in (
        (120, f"{whole}s"),
        (600, _parts(minutes, "m", whole % 60, "s")),
        (3 * 3600, f"{minutes}m"),
        (8 * 3600, _parts(hours, "h", minutes % 60, "m")),
        (48 * 3600, f"{hours}h"),
        (8 * 86400, _parts(days, "d", hours % 24, "h")),
        (2 * 365 * 86400, f"{days}d"),
        (8 * 365 * 86400, _parts(days // 365, "y", days % 365, "d")),
    ):
        if whole < until:
            return text
    return f"{days // 365}y"


def age_since(created: str, now: float) -> str:
    """The age of an object with that creationTimestamp, as kubectl prints it."""
    try:
        return age(now - datetime.fromisoformat(created).timestamp())
    except ValueError:
        return "<unknown>"


def _parts(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def document(value: Any, output: Output) -> bool:
    """Prints a value for programs, if that is what was asked for; whether it was."""
    if output not in (Output.JSON, Output.YAML):
        return False
    print(document_text(value, output))
    return True


def document_text(value: Any, output: Output, *, in_one_line: bool = False) -> str:
    """A value as JSON or YAML; both say the same. One of several YAML documents begins with `---`."""
    encoded = msgspec.json.encode(value)
    if output is Output.JSON:
        return (encoded if in_one_line else msgspec.json.format(encoded)).decode()
    import yaml

    # PyYAML writes these line ends as they are, and reads them as other ones.
    is_usual = not _LINE_ENDS.search(encoded.decode())
    text: str = yaml.safe_dump(msgspec.json.decode(encoded), sort_keys=False, allow_unicode=is_usual, width=120)
    return ("---\n" if in_one_line else "") + text.rstrip("\n")


def step_lines(steps: Iterable[tuple[str, str]], *, meanings: dict[str, Meaning] | None = None) -> Iterator[str]:
    """`name  text` for each step; names stand in one column and text may be of any length."""
    told = [(name, clean(text)) for name, text in steps]
    width = max((len(name) for name, _ in told), default=0)
    for name, text in told:
        meaning = (meanings or {}).get(name)
        yield f"{name:<{max(width, 8)}} {paint(text, meaning) if meaning else text}"
