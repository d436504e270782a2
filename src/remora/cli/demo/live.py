"""The demonstration on a terminal: a table of visitors and pods that fills while it runs, and the statements below it."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from remora.cli.demo.screen import WHAT_NEXT, Statement, Tally, summary

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "bright_red", "bright_cyan", "bright_magenta", "white")


class LiveScreen:
    """Redraws itself in place; what it showed last stays on the terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._heading = ""
        self._pods: Sequence[str] = ()
        self._rows: Sequence[Tally] = ()
        self._statements: list[Statement] = []
        self._footer: list[Text] = []
        self._live = Live(console=console or Console(), refresh_per_second=12, get_renderable=self._draw)

    def __enter__(self) -> "LiveScreen":
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def heading(self, text: str) -> None:
        self._heading = text

    def tallies(self, pods: Sequence[str], rows: Sequence[Tally]) -> None:
        self._pods, self._rows = tuple(pods), tuple(rows)

    def statement(self, statement: Statement) -> None:
        self._statements.append(statement)

    def failure(self, text: str) -> None:
        self._footer.append(Text(text, style="bold red"))

    def end(self, *, seconds: float) -> None:
        held = [statement.holds for statement in self._statements]
        self._heading = ""
        self._footer.append(Text(summary(held, seconds), style="bold green" if all(held) else "bold red"))
        self._footer += [Text(line, style="dim") for line in WHAT_NEXT]

    def _draw(self) -> Panel:
        parts: list[Table | Text] = []
        if self._rows:
            parts += [self._visitors(), Text()]
        parts += [_line(statement) for statement in self._statements]
        if self._heading:
            parts.append(Text(f"… {self._heading}", style="italic"))
        return Panel(Group(*parts, *self._footer), title="Remora keeps every client on its pod", border_style="cyan")

    def _visitors(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("client", no_wrap=True)
        for number, pod in enumerate(self._pods):
            table.add_column(_short(pod), justify="right", no_wrap=True, min_width=6, style=_COLOURS[number % len(_COLOURS)])
        table.add_column("cookie", no_wrap=True, overflow="ellipsis", max_width=16, style="dim")
        for row in self._rows:
            table.add_row(row.visitor, *(_cell(row, pod) for pod in self._pods), row.cookie)
        return table


def _cell(row: Tally, pod: str) -> Text:
    count = row.answers.get(pod, 0)
    style = "bold reverse" if pod == row.latest else ""
    return Text(f" {count or '·'} ", style=style)


def _short(pod: str) -> str:
    return f"…{pod.rpartition('-')[2]}"


def _line(statement: Statement) -> Text:
    mark, style = ("✓", "green") if statement.holds else ("✗", "bold red")
    return Text.assemble((f"{mark} ", style), statement.text, (f"  {statement.seen}", "dim"))
