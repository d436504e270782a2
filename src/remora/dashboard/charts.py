"""From the history to charts: lines in a coordinate system of their own, and the same figures as a table. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, log10

import msgspec

from remora.dashboard.figures import duration, figure, rate_figure
from remora.dashboard.history import (
    GAP,
    History,
    PodKey,
    Sample,
    bucket_sums,
    mean_seconds,
    rate,
    steps,
    sums,
)
from remora.observe.growth import grown_counts, percentile

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 200, 52, 22, 8
_SPANS = (60, 120, 300, 600, 900)
_POINTS = 100
"""Points of a line at the most."""
_LINES = 7
"""Lines of a chart at the most; colours and dashes that can be told apart are no more."""
_ROWS = 15
_CLASSES = {"2": 4, "3": 6, "4": 2, "5": 5}

Point = tuple[float, float]


class Line(msgspec.Struct, frozen=True):
    """A line of a chart. `look` is one of eight colours, `dash` one of four; `last` the value of now in words."""

    name: str
    look: int
    dash: int
    path: str
    last: str


class Tick(msgspec.Struct, frozen=True):
    """A mark of an axis."""

    at: float
    text: str


class Chart(msgspec.Struct, frozen=True):
    """A chart. `rows` are times before now in words with one value for each line."""

    id: str
    title: str
    lines: tuple[Line, ...]
    y: tuple[Tick, ...]
    x: tuple[Tick, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


Series = Mapping[str, Sequence[Point]]


def charts(history: History, namespaces: frozenset[str] | None = None, *, pods: str = "") -> tuple[Chart, ...]:
    """All charts of what may be seen. `pods` is a word that a pod's name, Service or namespace has to have."""
    samples, now = history.samples, history.recent[-1].at
    age = now - samples[0].at
    span = next((one for one in _SPANS if age <= one), _SPANS[-1])
    every = max(4.0, span / _POINTS)
    seen = [one for one in samples if now - one.at <= span]
    buckets = history.recent[-1].buckets
    frame = _Frame(now, span)
    return (
        frame.chart("codes", "Requests per second, by status", _codes(seen, every, namespaces), rate_figure, is_codes=True),
        _latency(frame, seen, every, namespaces, buckets),
        frame.chart("sessions", "Live sessions per pod", _sessions(seen, namespaces, pods), figure, whole=True),
        frame.chart(
            "broken",
            "Broken sessions by reason, adding up",
            _broken(seen, namespaces),
            figure,
            whole=True,
            note=_NOTHING_BROKEN,
        ),
    )


_NOTHING_BROKEN = "No session has broken in this time."


def _codes(samples: Sequence[Sample], every: float, namespaces: frozenset[str] | None) -> Series:
    series: dict[str, list[Point]] = {}
    for before, now in steps(samples, every):
        old, new = sums(before.requests, namespaces), sums(now.requests, namespaces)
        for code in new:
            series.setdefault(code, []).append((now.at, rate(new[code], old[code], now.at - before.at)))
    return _largest(series, sum)


def _latency(
    frame: "_Frame", samples: Sequence[Sample], every: float, namespaces: frozenset[str] | None, buckets: Sequence[float]
) -> Chart:
    series: dict[str, list[Point]] = {}
    for before, now in steps(samples, every):
        grew = grown_counts(bucket_sums(now, namespaces), bucket_sums(before, namespaces))
        for name, share in (("half within", 0.5), ("95% within", 0.95), ("99% within", 0.99)):
            if (seconds := percentile(grew, buckets, share)) is not None:
                series.setdefault(name, []).append((now.at, seconds))
    if series:
        return frame.chart("latency", "Time to answer", series, duration)
    means = [(now.at, mean) for _, now in steps(samples, every) if (mean := mean_seconds((now,), namespaces)) is not None]
    note = "The mean of each pod's last answers. Percentiles need a controller with --enable-metrics."
    return frame.chart("latency", "Time to answer", {"mean": means} if means else {}, duration, note=note)


def _sessions(samples: Sequence[Sample], namespaces: frozenset[str] | None, word: str) -> Series:
    series: dict[PodKey, list[Point]] = {}
    every = samples[:: max(1, len(samples) // _POINTS)] if samples else ()
    for one in dict.fromkeys((*(sample.at for sample in every), samples[-1].at)) if samples else ():
        sample = next(sample for sample in samples if sample.at == one)
        for key, number in zip(sample.pods, sample.pod_sessions, strict=True):
            if number >= 0 and (namespaces is None or key[0] in namespaces) and word in f"{key[0]}/{key[1]} {key[3]}":
                # A Service's sessions are told at each of its ports.
                series.setdefault((key[0], key[1], "", key[3]), []).append((sample.at, float(number)))
    return _largest({f"{key[3]}": points for key, points in series.items()}, lambda values: max(values, default=0))


def _broken(samples: Sequence[Sample], namespaces: frozenset[str] | None) -> Series:
    if not samples:
        return {}
    first, series = sums(samples[0].broken, namespaces), {}
    for reason in sums(samples[-1].broken, namespaces):
        points = [(one.at, float(max(0, sums(one.broken, namespaces)[reason] - first[reason]))) for one in samples]
        if points[-1][1]:
            series[reason] = points
    return _largest(series, max)


def _largest(series: Mapping[str, Sequence[Point]], weigh: Callable[[list[float]], float]) -> Series:
    """The lines that matter most, in the order of their names, and the sum of all others."""
    order = sorted(series, key=lambda name: (-weigh([value for _, value in series[name]]), name))
    if len(order) <= _LINES + 1:
        return {name: series[name] for name in sorted(order)}
    others: dict[float, float] = {}
    for name in order[_LINES:]:
        for at, value in series[name]:
            others[at] = others.get(at, 0.0) + value
    rest = f"{len(order) - _LINES} others together"
    return {name: series[name] for name in sorted(order[:_LINES])} | {rest: sorted(others.items())}


class _Frame:
    """The time that charts show, and the place where they are drawn."""

    def __init__(self, now: float, span: float) -> None:
        self._now = now
        self._span = span

    def chart(
        self,
        id: str,
        title: str,
        series: Series,
        words: Callable[[float], str],
        *,
        note: str = "",
        whole: bool = False,
        is_codes: bool = False,
    ) -> Chart:
        """A chart of these lines; `note` is said where there are none, and of latency always. `whole` things have no halves."""
        ticks = axis(max((value for points in series.values() for _, value in points), default=0.0), whole=whole)
        top = ticks[-1]
        looks = _code_looks(series) if is_codes else ((index % 8 + 1, index % 4 + 1) for index in range(len(series)))
        lines = [
            Line(name, look, dash, self._path(points, top), words(self._last(points)))
            for (name, points), (look, dash) in zip(series.items(), looks, strict=True)
        ]
        y = tuple(Tick(round(self._y(tick, top), 1), words(tick)) for tick in ticks)
        x = tuple(Tick(LEFT + (WIDTH - LEFT) * index / 4, self._ago(self._span * (4 - index) / 4)) for index in range(5))
        shown = note if not series or id == "latency" else ""
        return Chart(id, title, tuple(lines), y, x, self._rows(series, words), shown)

    def _path(self, points: Iterable[Point], top: float) -> str:
        drawn = [(at, f"{self._x(at):.1f} {self._y(value, top):.1f}") for at, value in points]
        if not drawn:
            return ""
        reach = max(GAP, 2.5 * self._span / _POINTS)
        text = [f"M{drawn[0][1]}"]
        text += [f"{'L' if b - a <= reach else 'M'}{place}" for (a, _), (b, place) in pairwise(drawn)]
        return "".join(text)

    def _rows(self, series: Series, words: Callable[[float], str]) -> tuple[tuple[str, ...], ...]:
        """Fifteen moments, each with the last value known before it."""
        rows = []
        for index in range(_ROWS):
            at = self._now - self._span * index / _ROWS
            values = [
                [value for when, value in points if at - self._span / _ROWS < when <= at + 0.5] for points in series.values()
            ]
            if any(values):
                rows.append((self._ago(self._now - at), *(words(one[-1]) if one else "" for one in values)))
        return tuple(rows)

    def _last(self, points: Sequence[Point]) -> float:
        return points[-1][1] if points and self._now - points[-1][0] <= 3 * GAP else 0.0

    def _x(self, at: float) -> float:
        return LEFT + (WIDTH - LEFT - 2) * (1 - (self._now - at) / self._span)

    def _y(self, value: float, top: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top

    def _ago(self, seconds: float) -> str:
        if seconds < 1:
            return "now"
        return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.3g} min ago"


def _code_looks(codes: Iterable[str]) -> Iterator[tuple[int, int]]:
    """A colour for each class of codes, and dashes for those of the same class."""
    used: Counter[int] = Counter()
    for code in codes:
        look = _CLASSES.get(code[:1], 1)
        yield look, used[look] % 4 + 1
        used[look] += 1


def axis(highest: float, *, whole: bool = False) -> tuple[float, ...]:
    """Two to five round numbers from zero to the first that is not below the highest."""
    top = max(highest, 1.0) if whole or highest <= 0 else highest
    unit = 10.0 ** floor(log10(top / 4))
    step = next(unit * step for step in (1, 2, 5, 10) if top / 4 <= unit * step * 1.0000001 and not (whole and unit * step < 1))
    return tuple(step * index for index in range(ceil(top / step - 1e-6) + 1))
