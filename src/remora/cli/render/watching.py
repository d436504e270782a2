"""Showing something again and again, until Ctrl-C: on a terminal in place, elsewhere whenever it is another."""

import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec

from remora.cli.options import Output
from remora.cli.render.look import Meaning, clean, document_text, has_colour, paint
from remora.core.errors import RemoraError, UsageError

PAUSE = 1.0
_STDOUT = 1


class Sight(msgspec.Struct, frozen=True):
    """What is shown: in lines for a terminal of that width (None for any), in colours or not; and for programs."""

    lines: Callable[[int | None, bool], Sequence[str]]
    value: Any
    essence: Any = None
    """What is another when something changed; the lines, unless it is given. (Ages change all the time.)"""


def watch(fetch: Callable[[], Sight], output: Output, *, pause: float = PAUSE) -> None:
    """Shows what `fetch` brings until Ctrl-C. What does not answer for a while is waited for, except at first.

    Raises:
        RemoraError: not even the first answer came.
    """
    sight = fetch()
    try:
        with ending_in_order():
            if output in (Output.JSON, Output.YAML):
                _write_documents(sight, fetch, output, pause)
            elif sys.stdout.isatty():
                _redraw(sight, fetch, output, pause)
            else:
                _print_changes(sight, fetch, pause)
    except KeyboardInterrupt:
        return


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is inside as an exception does, so that the terminal is left as it was."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_documents(sight: Sight, fetch: Callable[[], Sight], output: Output, pause: float) -> None:
    found: Sight | None = sight
    while True:
        if found is not None:
            print(document_text(found.value, output, in_one_line=True), flush=True)
        _rest(pause)
        found, why = _tried(fetch)
        if why:
            print(f"note: {why}", file=sys.stderr, flush=True)


def _print_changes(sight: Sight, fetch: Callable[[], Sight], pause: float) -> None:
    shown: Any = None
    found: Sight | None = sight
    while True:
        if found is not None:
            lines = tuple(found.lines(None, False))
            essence = lines if found.essence is None else found.essence
            if essence != shown:
                print("\n".join((*lines, "")), flush=True)
                shown = essence
        _rest(pause)
        found, why = _tried(fetch)
        if why:
            print(f"note: {why}", file=sys.stderr, flush=True)


def _rest(seconds: float) -> None:
    """Waits, as long as somebody reads along.

    Raises:
        BrokenPipeError: nobody does any more (`… --watch | head`), which writing alone would show only at the next change.
    """
    output = select.poll()
    output.register(_STDOUT, 0)  # errors are told without being asked for
    if output.poll(seconds * 1000):
        raise BrokenPipeError


def _redraw(sight: Sight, fetch: Callable[[], Sight], output: Output, pause: float) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def drawn(why: str) -> Text:
        width = shutil.get_terminal_size().columns
        lines = list(sight.lines(None if output is Output.WIDE else width, has_colour()))
        if why:
            lines += ["", paint(f"trying again: {clean(why)}", Meaning.BAD)]
        return Text.from_ansi("\n".join(lines), no_wrap=True, overflow="ellipsis")

    console = Console(highlight=False)
    try:
        with Live(drawn(""), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(pause)
                found, why = _tried(fetch)
                sight = found or sight
                live.update(drawn(why), refresh=True)
    finally:
        # Live does not see to it if it is interrupted while it begins.
        console.show_cursor(True)


def _tried(fetch: Callable[[], Sight]) -> tuple[Sight | None, str]:
    try:
        return fetch(), ""
    except UsageError:
        raise
    except RemoraError as error:
        return None, str(error)
