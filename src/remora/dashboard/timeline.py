"""From controllers' changes and problems to the time line and the list of problems. Pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from remora.dashboard.figures import count
from remora.dashboard.fragments import element_id
from remora.dashboard.history import History
from remora.dashboard.view import ProblemView, problem_view, visible

_TONES = {"runtime update": ("good", "✓"), "reload": ("warn", "↻"), "start": ("good", "▶"), "refused": ("bad", "✕")}


class ChangeView(msgspec.Struct, frozen=True):
    """One change; `when` is as machines write it."""

    id: str
    when: str
    time: str
    kind: str
    tone: str
    sign: str
    objects: str
    reasons: str
    effort: str
    replica: str


class Mark(msgspec.Struct, frozen=True):
    """A change on the strip of the last quarter of an hour; `x` is from 0 to 1000."""

    x: int
    kind: str


class TimeLine(msgspec.Struct, frozen=True):
    """Changes, the latest first."""

    changes: tuple[ChangeView, ...]
    marks: tuple[Mark, ...]
    sentence: str


STRIP_SECONDS = 900.0


def time_line(history: History, namespaces: frozenset[str] | None, words: Sequence[str]) -> TimeLine:
    """The changes that may be seen and fit the filter."""
    report = visible(history.recent[-1], namespaces)
    several = len({change.replica for change in report.changes}) > 1
    views, marks = [], []
    for change in reversed(report.changes):
        more = f" and {change.more} more" if change.more else ""
        tone, sign = _TONES.get(change.kind, ("", "·"))
        moment = datetime.fromtimestamp(change.at, UTC)
        is_today = moment.date() == datetime.fromtimestamp(report.at, UTC).date()
        effort = [f"{change.milliseconds:.0f} ms"] if change.milliseconds is not None else []
        effort += [count(change.commands, "command")] if change.commands else []
        view = ChangeView(
            id=element_id("c", repr(change.at), change.kind, change.replica, *change.objects),
            when=moment.isoformat(timespec="seconds"),
            time=moment.strftime("%H:%M:%S" if is_today else "%d %b %H:%M:%S"),
            kind=change.kind,
            tone=tone,
            sign=sign,
            objects=", ".join(change.objects) + more,
            reasons="; ".join(change.reasons),
            effort=" · ".join(effort),
            replica=change.replica if several else "",
        )
        text = f"{view.kind} {view.objects} {view.reasons} {view.replica}".lower()
        if all(word in text for word in words):
            views.append(view)
            if (ago := report.at - change.at) <= STRIP_SECONDS:
                marks.append(Mark(round(1000 - 1000 * max(0.0, ago) / STRIP_SECONDS), change.kind))
    reloads = sum(mark.kind == "reload" for mark in marks)
    sentence = f"{count(len(marks), 'change')} in the last 15 minutes, {reloads} by a reload. Times are UTC."
    return TimeLine(tuple(views), tuple(marks), sentence)


def problem_views(history: History, namespaces: frozenset[str] | None, words: Sequence[str]) -> Iterator[ProblemView]:
    """The problems that may be seen and fit the filter, errors first."""
    report = visible(history.recent[-1], namespaces)
    views = sorted((problem_view(one) for one in report.problems), key=lambda one: (not one.is_error, one.object, one.field))
    for view in views:
        text = f"{view.object} {view.field} {view.code} {view.message}".lower()
        if all(word in text for word in words):
            yield view
