"""What the demonstration shows, on a terminal and elsewhere."""

import io

from rich.console import Console

from remora.cli.demo.live import LiveScreen
from remora.cli.demo.screen import PlainScreen, Screen, Statement, Tally

PODS = ("sticky-d-1-aaaaa", "sticky-d-1-bbbbb")


def tell(screen: Screen) -> None:
    screen.heading("without affinity")
    screen.tallies(PODS, [Tally("A", {PODS[0]: 7, PODS[1]: 9}, PODS[1], "key|backend")])
    screen.statement(Statement("requests are spread", "7 + 9", holds=True))
    screen.statement(Statement("nobody moves", "1 of 3 moved", holds=False))
    screen.end(seconds=12.3)


def test_without_a_terminal_each_statement_is_a_line() -> None:
    output = io.StringIO()
    tell(PlainScreen(output))
    lines = output.getvalue().splitlines()
    assert lines[:4] == [
        "... without affinity",
        "ok   requests are spread: 7 + 9",
        "FAIL nobody moves: 1 of 3 moved",
        "1 of 2 statements hold (12 s)",
    ]
    assert any("remora up" in line for line in lines)


def test_a_failure_is_a_line_too() -> None:
    output = io.StringIO()
    PlainScreen(output).failure("the cluster has no entry")
    assert output.getvalue() == "FAIL the cluster has no entry\n"


def test_on_a_terminal_a_table_fills_above_the_statements() -> None:
    output = io.StringIO()
    with LiveScreen(Console(file=output, force_terminal=True, width=100, color_system=None)) as screen:
        tell(screen)
    last = output.getvalue()
    for text in (
        "client",
        "…aaaaa",
        "…bbbbb",
        "key|backend",
        "✓ requests are spread",
        "✗ nobody moves",
        "1 of 2 statements hold",
    ):
        assert text in last
