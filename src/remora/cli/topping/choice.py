"""What of a View is shown, and what keys do to that. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from remora.cli.topping.rates import PodLine, RouteLine, View

Tab = Literal["routes", "pods"]
Line = RouteLine | PodLine

_ESCAPES = {
    "[A": "up",
    "[B": "down",
    "OA": "up",
    "OB": "down",
    "[5~": "page up",
    "[6~": "page down",
    "[H": "home",
    "[F": "end",
    "OH": "home",
    "OF": "end",
    "[1~": "home",
    "[4~": "end",
    "[Z": "tab",
}
_CONTROLS = {
    "\t": "tab",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x15": "clear",
    "\x06": "page down",
    "\x02": "page up",
}

ORDERS: dict[Tab, tuple[tuple[str, Callable[[Any], Any]], ...]] = {
    "routes": (
        ("requests/s", lambda one: -(one.rate or 0)),
        ("errors", lambda one: -(one.errors or 0)),
        ("p99", lambda one: -(one.p99 or 0)),
        ("name", lambda one: ()),
    ),
    "pods": (
        ("requests/s", lambda one: -(one.rate or 0)),
        ("sessions", lambda one: -(one.sessions or 0)),
        ("errors", lambda one: -(one.errors or 0)),
        ("latency", lambda one: -(one.milliseconds or 0)),
        ("connections", lambda one: -one.connections),
        ("name", lambda one: ()),
    ),
}
"""How lines can be sorted; those that are equal by their names."""


class Choice(msgspec.Struct, frozen=True):
    """What the person chose. While `is_typing`, keys are letters of the filter."""

    tab: Tab = "routes"
    order: int = 0
    top: int = 0
    filter: str = ""
    is_typing: bool = False
    has_help: bool = False
    is_over: bool = False

    @property
    def order_name(self) -> str:
        return ORDERS[self.tab][self.order][0]


def parse_keys(data: bytes) -> list[str]:
    """The keys that a terminal's bytes stand for: a character, or a name of more than one letter."""
    text = data.decode(errors="ignore")
    keys = []
    while text:
        found = next((code for code in _ESCAPES if text.startswith("\x1b" + code)), None)
        if found is not None:
            keys.append(_ESCAPES[found])
            text = text[1 + len(found) :]
            continue
        keys.append("escape" if text[0] == "\x1b" else _CONTROLS.get(text[0], text[0]))
        text = text[1:]
    return [key for key in keys if len(key) > 1 or key.isprintable()]


def pressed(choice: Choice, key: str, *, page: int) -> Choice:
    """What is chosen after a key; a page has so many lines."""
    if choice.is_typing:
        return _typed(choice, key)
    if choice.has_help:
        return msgspec.structs.replace(choice, has_help=False, is_over=key == "q")
    moves = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page, " ": page}
    if key in moves:
        return msgspec.structs.replace(choice, top=max(0, choice.top + moves[key]))
    if key in ("s", "tab"):
        return _turned(choice, key)
    return msgspec.structs.replace(choice, **_SIMPLE.get(key, {}))


_SIMPLE: dict[str, dict[str, Any]] = {
    "q": {"is_over": True},
    "/": {"is_typing": True, "filter": "", "top": 0},
    "escape": {"filter": "", "top": 0},
    "home": {"top": 0},
    "g": {"top": 0},
    "end": {"top": 1 << 30},
    "G": {"top": 1 << 30},
    "?": {"has_help": True},
    "h": {"has_help": True},
}


def _turned(choice: Choice, key: str) -> Choice:
    if key == "s":
        return msgspec.structs.replace(choice, order=(choice.order + 1) % len(ORDERS[choice.tab]), top=0)
    return msgspec.structs.replace(choice, tab="pods" if choice.tab == "routes" else "routes", order=0, top=0)


def _typed(choice: Choice, key: str) -> Choice:
    replace = msgspec.structs.replace
    match key:
        case "enter":
            return replace(choice, is_typing=False)
        case "escape":
            return replace(choice, is_typing=False, filter="")
        case "clear":
            return replace(choice, filter="")
        case "backspace":
            return replace(choice, filter=choice.filter[:-1])
    return replace(choice, filter=choice.filter + key, top=0) if len(key) == 1 else choice


def chosen_lines(view: View, choice: Choice) -> tuple[Line, ...]:
    """The lines of a tab that pass the filter, in order."""
    lines: Sequence[Line] = view.routes if choice.tab == "routes" else view.pods
    words = choice.filter.lower().split()
    found = [one for one in lines if all(word in _text(one) for word in words)]
    order = ORDERS[choice.tab][choice.order][1]
    return tuple(sorted(found, key=lambda one: (order(one), _text(one))))


def within(choice: Choice, count: int, page: int) -> Choice:
    """The choice with the last page at the end, however few lines are left."""
    top = max(0, min(choice.top, count - page))
    return choice if top == choice.top else msgspec.structs.replace(choice, top=top)


def _text(one: Line) -> str:
    if isinstance(one, RouteLine):
        return f"{one.host} {one.path} {one.ingress} {one.to} {one.state}".lower()
    return f"{one.service} {one.pod} {one.node} {one.state}".lower()
