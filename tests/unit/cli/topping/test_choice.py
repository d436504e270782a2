"""What keys do, and which lines are shown."""

import msgspec
import pytest

from remora.cli.topping.choice import Choice, chosen_lines, parse_keys, pressed, within
from remora.cli.topping.rates import PodLine, RouteLine, view_of
from remora.observe.traffic_report import TrafficReport


def route(host: str, rate: float, errors: float | None = None) -> RouteLine:
    return RouteLine(host, "/", "default/web", "web:80", "ready", rate, errors, None, None)


def pod(name: str, sessions: int | None, connections: int = 0) -> PodLine:
    return PodLine("default", name, "default/web:80", "here", "ready", "", sessions, None, 1.0, None, None, connections)


VIEW = msgspec.structs.replace(
    view_of(None, TrafficReport(at=1.0, uptime=1.0, replica="a")),
    routes=(route("b.example", 1.0, 0.5), route("a.example", 1.0), route("c.example", 9.0)),
    pods=(pod("x", 1, 9), pod("y", 5), pod("z", None, 2)),
)


def press(*keys: str, choice: Choice | None = None) -> Choice:
    found = choice or Choice()
    for key in keys:
        found = pressed(found, key, page=10)
    return found


def shown(choice: Choice) -> list[str]:
    return [one.host if isinstance(one, RouteLine) else one.pod for one in chosen_lines(VIEW, choice)]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[Bj", ["up", "down", "j"]),
        (b"\x1bOA\x1b[5~\x1b[6~\x1b[H\x1b[F", ["up", "page up", "page down", "home", "end"]),
        (b"\t\r\x7f\x1b", ["tab", "enter", "backspace", "escape"]),
        ("é".encode(), ["é"]),
        (b"\x01\xff", []),
    ],
)
def test_bytes_of_a_terminal_are_keys(data: bytes, keys: list[str]) -> None:
    assert parse_keys(data) == keys


def test_tab_switches_between_routes_and_pods_and_s_sorts_by_the_next_column() -> None:
    assert shown(press()) == ["c.example", "a.example", "b.example"]
    assert shown(press("s")) == ["b.example", "a.example", "c.example"]
    assert press("s").order_name == "errors"
    assert shown(press("tab", "s")) == ["y", "x", "z"]
    assert shown(press("tab", "s", "s", "s", "s")) == ["x", "z", "y"]
    assert press(*["s"] * 4) == Choice()
    assert press("tab", "tab") == Choice()


def test_a_filter_is_typed_kept_and_ended() -> None:
    typing = press("/", "A", ".", "x", "backspace")
    assert (typing.filter, typing.is_typing) == ("A.", True)
    assert shown(typing) == ["a.example"]
    kept = press("enter", choice=typing)
    assert (kept.filter, kept.is_typing) == ("A.", False)
    assert shown(press("escape", choice=kept)) == ["c.example", "a.example", "b.example"]
    assert shown(press("escape", choice=typing)) == ["c.example", "a.example", "b.example"]
    assert shown(press("/", *"web nosuch")) == []


def test_keys_are_letters_while_a_filter_is_typed() -> None:
    assert press("/", "q", "s").filter == "qs"
    assert not press("/", "q").is_over


def test_q_ends_and_help_comes_and_goes() -> None:
    assert press("q").is_over
    assert press("?").has_help
    assert press("?", "x") == Choice()
    assert press("?", "q").is_over


def test_scrolling_ends_where_the_last_page_does() -> None:
    assert press("up").top == 0
    assert press("j", "down", "k").top == 1
    assert within(press(" ", " "), 15, 10).top == 5
    assert within(press("G"), 15, 10).top == 5
    assert within(press("G", "g"), 15, 10).top == 0
    assert within(press("j"), 3, 10).top == 0
    assert press("unknown") == Choice()
