"""The screen, as wide and as high as there is room for."""

import re

import msgspec
import pytest

from remora.cli.render.look import cell_width
from remora.cli.topping.choice import Choice
from remora.cli.topping.draw import report_lines, screen_lines
from remora.cli.topping.rates import PodLine, RouteLine, View, view_of
from remora.observe.traffic_report import ChangeReport, ProxyTraffic, TrafficReport

REPORT = TrafficReport(
    at=100.0, uptime=3700.0, replica="remora-1", proxy=ProxyTraffic("2.8.25-abc", 7, 1.0, 1, 2, 12), reloads=1
)
VIEW = msgspec.structs.replace(
    view_of(None, REPORT),
    rate=12.25,
    errors=0.1,
    sessions=1,
    broken={"gone": 2, "full": 0},
    problems=2,
    last_change=ChangeReport(90.0, "reload", ("the program\x1b[2J changed",)),
    routes=tuple(
        RouteLine(f"host-{number}.example", "/", "default/web", "web:80", "ready", float(number), None, 1.25, 99.6)
        for number in range(40)
    ),
    pods=(
        PodLine("default", "web-a", "default/web:80", "here", "draining", "it is cordoned", 5, 5, 2.0, 0.5, 7, 3),
        PodLine("default", "web-b", "default/web:80", "here", "ready", "", None, None, None, None, None, 0),
    ),
)


def drawn(
    choice: Choice | None = None, *, width: int = 80, height: int = 24, colour: bool = False, trouble: str = ""
) -> list[str]:
    return list(screen_lines(VIEW, choice or Choice(), width=width, height=height, now=102.0, colour=colour, trouble=trouble))


def bare(line: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", line)


def test_what_holds_for_all_stands_above_the_table() -> None:
    lines = drawn()
    assert lines[:4] == [
        "remora top: 1 controller, up 61m; HAProxy 2.8.25, 1 worker and 2 former, 12 con…",
        "12.2 requests/s, 10.0 % errors; 1 live session, 1 pod draining",
        "broken sessions: gone 2",
        "1 reload; last change 12s ago: reload (the program\\x1b[2J changed); 2 problems …",
    ]
    assert lines[5].startswith("[routes]   pods    1-16 of 40   by requests/s")
    assert lines[6].split() == ["HOST", "PATH", "REQ/S", "ERRORS", "P50", "P99", "TO"]
    assert lines[7].split() == ["host-39.example", "/", "39.0", "-", "1.2", "100", "web:80"]
    assert lines[-1] == "q quit   tab pods   s sort   / filter   ? help"


@pytest.mark.parametrize("width", [20, 33, 40, 52, 80, 120, 200])
@pytest.mark.parametrize("height", [3, 6, 12, 24, 60])
@pytest.mark.parametrize("choice", [Choice(), Choice(tab="pods"), Choice(has_help=True), Choice(is_typing=True, filter="x")])
def test_no_line_is_wider_and_no_screen_higher_than_the_terminal(width: int, height: int, choice: Choice) -> None:
    lines = drawn(choice, width=width, height=height)
    assert len(lines) == height
    assert max(map(cell_width, lines)) <= width


def test_colours_change_nothing_but_the_colour() -> None:
    for choice in (Choice(), Choice(tab="pods")):
        coloured = drawn(choice, colour=True)
        assert coloured != drawn(choice)
        assert list(map(bare, coloured)) == drawn(choice)


def test_pods_show_state_sessions_and_limit_and_a_narrow_terminal_has_what_matters() -> None:
    lines = drawn(Choice(tab="pods"))
    assert lines[6].split() == ["POD", "STATE", "SESSIONS", "REQ/S", "ERRORS", "MS", "CONN", "SERVICE"]
    assert lines[7].split() == ["web-a", "draining", "5/5", "2.0", "50.0", "%", "7", "3", "default/web:80"]
    assert drawn(Choice(tab="pods"), width=40)[6].split() == ["POD", "STATE", "SESSIONS", "REQ/S"]
    assert "\x1b[33mdraining\x1b[0m" in drawn(Choice(tab="pods"), colour=True)[7]


def test_the_last_page_is_reached_and_not_passed() -> None:
    lines = drawn(Choice(top=1 << 30))
    assert "25-40 of 40" in lines[5]
    assert lines[22].startswith("host-0.example")


def test_what_is_wrong_stands_in_the_last_line() -> None:
    assert drawn(trouble="no controller answers")[-1] == "trying again: no controller answers"
    assert drawn(Choice(is_typing=True, filter="web"), trouble="x")[-1] == "/web_"


def test_help_tells_the_keys() -> None:
    assert any("filter" in line for line in drawn(Choice(has_help=True)))


def test_while_haproxy_is_away_the_screen_says_so() -> None:
    view: View = msgspec.structs.replace(VIEW, proxy=None)
    lines = screen_lines(view, Choice(), width=100, height=24, now=102.0, colour=False)
    assert lines[0].endswith("HAProxy does not answer")


def test_once_everything_is_printed_whole() -> None:
    lines = list(report_lines(VIEW, now=102.0, width=None, colour=False))
    assert sum("host-" in line for line in lines) == 40
    assert any(line.startswith("web-a") and line.endswith("it is cordoned") for line in lines)
