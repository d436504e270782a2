"""How the demonstration is shown: a live table on a terminal, plain lines elsewhere.

The story tells a `Screen` what happens; both screens show the same statements in the same words.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TextIO

import msgspec

WHAT_NEXT = (
    "Go on with a cluster of your own:",
    "  remora up                                   # in another terminal",
    '  export KUBECONFIG="$(remora kubeconfig)"',
    "  kubectl apply -f examples/sticky-session/deployment.yml",
    "  kubectl apply -f examples/sticky-session/service.yml",
    "  kubectl apply -f examples/sticky-session/ingress-sticky.yml",
    "  kubectl get pods,services,ingresses",
)


class Statement(msgspec.Struct, frozen=True):
    """One thing that was to be shown, what was seen, and whether it is so."""

    text: str
    seen: str
    holds: bool


class Tally(msgspec.Struct, frozen=True):
    """How often each pod answered one visitor."""

    visitor: str
    answers: Mapping[str, int]
    """By pod name."""
    latest: str
    """The pod that answered last, "" for many visitors together."""
    cookie: str = ""


class Screen(Protocol):
    """What the story can tell."""

    def heading(self, text: str) -> None:
        """What happens now."""

    def tallies(self, pods: Sequence[str], rows: Sequence[Tally]) -> None:
        """Who was answered by whom so far; a pod that is gone keeps its column."""

    def statement(self, statement: Statement) -> None:
        """Something was checked."""

    def failure(self, text: str) -> None:
        """It cannot go on."""

    def end(self, *, seconds: float) -> None:
        """It is over."""


@contextlib.contextmanager
def open_screen(output: TextIO) -> Iterator[Screen]:
    """The screen that suits the output."""
    if not output.isatty():
        yield PlainScreen(output)
        return
    from remora.cli.demo.live import LiveScreen  # Rich costs 100 ms, and plain lines do not need it

    with LiveScreen() as screen:
        yield screen


class PlainScreen:
    """One line for each statement."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._held: list[bool] = []

    def heading(self, text: str) -> None:
        self._line(f"... {text}")

    def tallies(self, pods: Sequence[str], rows: Sequence[Tally]) -> None:
        """Counts are part of the statements; a table for each request would drown them."""

    def statement(self, statement: Statement) -> None:
        self._held.append(statement.holds)
        self._line(f"{'ok  ' if statement.holds else 'FAIL'} {statement.text}: {statement.seen}")

    def failure(self, text: str) -> None:
        self._held.append(False)
        self._line(f"FAIL {text}")

    def end(self, *, seconds: float) -> None:
        self._line(summary(self._held, seconds))
        for line in WHAT_NEXT:
            self._line(line)

    def _line(self, text: str) -> None:
        print(text, file=self._output, flush=True)


def summary(held: Sequence[bool], seconds: float) -> str:
    """The last line."""
    return f"{sum(held)} of {len(held)} statements hold ({seconds:.0f} s)"
