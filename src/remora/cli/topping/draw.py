"""From a View to lines of text, as wide and as many as there is room for. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from remora.cli.render.look import Cell, Marked, Meaning, age, cell_width, clean, fitted, painted, state, table_lines
from remora.cli.topping.choice import Choice, Line, chosen_lines, within
from remora.cli.topping.rates import PodLine, RouteLine, View, draining

HELP = (
    "q            quit",
    "tab          routes or pods",
    "s            sort by the next column",
    "j k, arrows  scroll; also page up and down, space, g and G",
    "/            filter: words that must all occur; enter keeps it, escape ends it",
    "?            this help",
    "",
    "errors       answers with 5xx, as a share of those since the last look",
    "p50, p99     milliseconds within which so many of a hundred requests were answered (needs --enable-metrics)",
    "ms           mean of a pod's last 1024 answers",
    "sessions     live ones, and how many the pod may have",
)
_KEYS = "q quit   tab {other}   s sort   / filter   ? help"
_BAD_SHARE = 0.05
_LOWEST = 12
"""Lines of a terminal from which on there is room for more than the table."""


class Column(NamedTuple):
    """A column, the width of the terminal from which on there is room for it, and how wide it is at least."""

    name: str
    cell: Callable[[Any], Cell]
    wide: int = 0
    least: int = 8


ROUTE_COLUMNS = (
    Column("HOST", lambda one: one.host, least=20),
    Column("PATH", lambda one: one.path),
    Column("REQ/S", lambda one: rate(one.rate)),
    Column("ERRORS", lambda one: share(one.errors)),
    Column("P50", lambda one: milliseconds(one.p50), 64),
    Column("P99", lambda one: milliseconds(one.p99), 50),
    Column("TO", lambda one: _target(one), 72, 12),
    Column("INGRESS", lambda one: one.ingress, 110, 14),
)
POD_COLUMNS = (
    Column("POD", lambda one: one.pod, least=20),
    Column("STATE", lambda one: state(one.state)),
    Column("SESSIONS", lambda one: _sessions(one)),
    Column("REQ/S", lambda one: rate(one.rate)),
    Column("ERRORS", lambda one: share(one.errors), 64),
    Column("MS", lambda one: one.milliseconds, 50),
    Column("CONN", lambda one: one.connections, 58),
    Column("SERVICE", lambda one: one.service, 76, 18),
    Column("NODE", lambda one: one.node or "-", 120),
    Column("WHY", lambda one: one.why or "-", 150),
)


def screen_lines(
    view: View, choice: Choice, *, width: int, height: int, now: float, colour: bool, trouble: str = ""
) -> tuple[str, ...]:
    """The whole screen: what holds for all, the table, and the keys or what is wrong."""
    head = [painted(fitted(line.text, width).rstrip(), line, colour=colour) for line in _head(view, now, width)]
    if height < _LOWEST:
        head = head[:1]
    page = page_size(height)
    if choice.has_help:
        body = [fitted(line, width).rstrip() for line in HELP][: height - len(head) - 2]
    else:
        body = _body(view, choice, width, page, colour)
    lines = [*head, *([""] if height >= _LOWEST else []), *body]
    lines += [""] * (height - 1 - len(lines))
    foot = _foot(choice, trouble)
    return (*lines[: height - 1], painted(fitted(foot.text, width).rstrip(), foot, colour=colour))


def page_size(height: int) -> int:
    """How many lines of the table there is room for: beside it are its headings, the tab and the last line."""
    return max(1, height - (8 if height >= _LOWEST else 4))


def report_lines(view: View, *, now: float, width: int | None, colour: bool) -> Iterator[str]:
    """Everything once, for `--once` and where no terminal is."""
    for line in _head(view, now, width or 200):
        yield painted(line.text, line, colour=colour)
    for choice in (Choice(), Choice(tab="pods")):
        if lines := chosen_lines(view, choice):
            yield ""
            yield from _table(choice, lines, width, colour)


def rate(value: float | None) -> Cell:
    """Requests a second."""
    return None if value is None else f"{value:.1f}"


def share(value: float | None) -> Cell:
    """A share of errors, in colour if there are any."""
    if value is None:
        return None
    text = f"{100 * value:.1f} %"
    return text if not value else Marked(text, Meaning.BAD if value >= _BAD_SHARE else Meaning.WARNING)


def milliseconds(value: float | None) -> Cell:
    """A time; tenths only where they say something."""
    if value is None:
        return None
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _head(view: View, now: float, width: int) -> Iterator[Marked]:
    proxy = view.proxy
    count = view.replica.count(", ") + 1
    whom = view.replica if count == 1 and view.replica and width >= 100 else _counted(count, "controller")
    yield Marked(f"remora top: {whom}, up {age(view.uptime)}; {_proxy(view)}", Meaning.HEADING if proxy else Meaning.BAD)
    errors = "" if view.errors is None else f", {100 * view.errors:.1f} % errors"
    sessions = "sessions not tracked" if view.sessions is None else _counted(view.sessions, "live session")
    leaving = sum(1 for _ in draining(view))
    drained = f", {_counted(leaving, 'pod')} draining" if leaving else ""
    now_rate = "-" if view.rate is None else f"{view.rate:.1f}"
    is_bad = (view.errors or 0) >= _BAD_SHARE
    yield Marked(f"{now_rate} requests/s{errors}; {sessions}{drained}", Meaning.BAD if is_bad else Meaning.HEADING)
    broken = ", ".join(f"{reason} {number}" for reason, number in view.broken.items() if number)
    yield Marked(f"broken sessions: {broken or 'none'}", Meaning.WARNING if broken else Meaning.FAINT)
    problems = f"; {_counted(view.problems, 'problem')} (remora problems)" if view.problems else ""
    is_refused = view.last_change is not None and view.last_change.kind == "refused"
    meaning = Meaning.BAD if is_refused else Meaning.WARNING if problems else Meaning.FAINT
    yield Marked(f"{_counted(view.reloads, 'reload')}{_change(view, now)}{problems}", meaning)


def _proxy(view: View) -> str:
    proxy = view.proxy
    if proxy is None:
        return "HAProxy does not answer"
    former = f" and {proxy.former_workers} former" if proxy.former_workers else ""
    workers = f"{_counted(proxy.workers, 'worker')}{former}"
    return f"HAProxy {proxy.version.partition('-')[0]}, {workers}, {_counted(proxy.connections, 'connection')}"


def _change(view: View, now: float) -> str:
    last = view.last_change
    if last is None:
        return ""
    why = f" ({clean(last.reasons[0])})" if last.reasons else ""
    return f"; last change {age(max(0.0, now - last.at))} ago: {last.kind}{why}"


def _body(view: View, choice: Choice, width: int, page: int, colour: bool) -> list[str]:
    lines = chosen_lines(view, choice)
    choice = within(choice, len(lines), page)
    shown = lines[choice.top : choice.top + page]
    tabs = "  ".join(f"[{name}]" if name == choice.tab else f" {name} " for name in ("routes", "pods"))
    until = f"{choice.top + 1}-{choice.top + len(shown)} of {len(lines)}" if shown else "none"
    filtered = f"   filter: {choice.filter}" if choice.filter else ""
    unmeasured = "   (p50, p99: --enable-metrics)" if choice.tab == "routes" and not view.measures else ""
    title = fitted(f"{tabs}   {until}   by {choice.order_name}{filtered}{unmeasured}", width).rstrip()
    return [title, *_table(choice, shown, width, colour)]


def _table(choice: Choice, lines: Sequence[Line], width: int | None, colour: bool) -> Iterator[str]:
    all_columns = ROUTE_COLUMNS if choice.tab == "routes" else POD_COLUMNS
    columns = [one for one in all_columns if width is None or one.wide <= width]
    while True:
        rows = [[column.cell(line) for column in columns] for line in lines]
        headings = [column.name for column in columns]
        # On the narrowest terminals a name is better cut short than alone.
        least = [min(column.least, (width or 80) // 3) for column in columns]
        if len(columns) == 1 or width is None or _fits(headings, rows, width, least):
            yield from table_lines(headings, rows, width=width, colour=colour, least=least)
            return
        columns.pop()


def _fits(headings: Sequence[str], rows: Sequence[Sequence[Cell]], width: int, least: Sequence[int]) -> bool:
    return all(cell_width(line) <= width for line in table_lines(headings, rows, width=width, least=least))


def _foot(choice: Choice, trouble: str) -> Marked:
    if choice.is_typing:
        return Marked(f"/{choice.filter}_", Meaning.CHOSEN)
    if trouble:
        return Marked(f"trying again: {clean(trouble)}", Meaning.BAD)
    if choice.has_help:
        return Marked("any key goes back", Meaning.FAINT)
    return Marked(_KEYS.format(other="pods" if choice.tab == "routes" else "routes"), Meaning.FAINT)


def _target(one: RouteLine) -> Cell:
    return Marked(one.to, Meaning.BAD) if one.state == "closed" else one.to


def _sessions(one: PodLine) -> Cell:
    if one.sessions is None or one.limit is None:
        return one.sessions
    text = f"{one.sessions}/{one.limit}"
    return Marked(text, Meaning.WARNING) if one.sessions >= one.limit else text


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
