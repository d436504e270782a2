"""The terminal while `remora top` has it: the alternate screen, keys without enter; and as it was before in the end."""

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Screen:
    """What can be drawn on."""

    def __init__(self, console: Console, live: Live, keys: "Keyboard") -> None:
        self._console = console
        self._live = live
        self._keys = keys

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now."""
        return self._console.size.width, self._console.size.height

    def show(self, lines: Sequence[str]) -> None:
        """Draws everything anew."""
        text = Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop")
        self._live.update(text, refresh=True)

    def suspend(self) -> None:
        """Stops as Ctrl-Z asks for, with the terminal as it was; goes on when the shell says so."""
        self._live.stop()
        self._keys.give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._keys.take()
        self._live.start(refresh=True)


class Keyboard:
    """Standard input without echo and lines, if it is a terminal."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    @property
    def descriptor(self) -> int | None:
        return sys.stdin.fileno() if sys.stdin.isatty() else None

    def take(self) -> None:
        """Every key counts at once from now on; Ctrl-C still interrupts."""
        if self.descriptor is not None:
            self._before = termios.tcgetattr(self.descriptor)
            tty.setcbreak(self.descriptor, termios.TCSADRAIN)

    def give_back(self) -> None:
        """Everything as it was."""
        if self._before is not None and self.descriptor is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self._before)


@contextlib.contextmanager
def open_screen(keys: Keyboard) -> Iterator[Screen]:
    """The terminal, which is as it was afterwards, whatever happens."""
    console = Console(highlight=False)
    keys.take()
    try:
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            yield Screen(console, live, keys)
    finally:
        # Live does not see to these if it is interrupted while it begins.
        if console.is_alt_screen:
            console.set_alt_screen(False)
        console.show_cursor(True)
        keys.give_back()
