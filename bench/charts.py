"""Charts as SVG, without a library: lying bars by group, on light pages and dark ones. Pure; the whole suite draws with it."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

LIGHT = ("#0a6ebd", "#79818c", "#2e9150", "#9452b8", "#cf7418", "#bd3a32")
DARK = ("#58a6ff", "#8b949e", "#56b870", "#bc8cff", "#e09b4a", "#f0776c")
"""In the order of the series; ours comes first."""
_PEERS = ("Remora", "HAProxy by hand", "nginx with Lua", "Envoy", "Traefik", "Caddy")
"""Who have their colours wherever they appear, also where one of them is missing."""

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP, _EDGE = 920, 345, 110, 15, 16, 84, 16
_FARTHEST = 8
"""A bar more than so many times as long as the median is cut."""


def _style() -> str:
    light = "".join(f".s{number}{{fill:{colour}}}" for number, colour in enumerate(LIGHT))
    dark = "".join(f".s{number}{{fill:{colour}}}" for number, colour in enumerate(DARK))
    return (
        "<style>text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px;fill:#1f2328}"
        ".title{font-size:16px;font-weight:600}.figure,.note{font-size:11px;fill:#59636e}.figure{paint-order:stroke;stroke:#fff;stroke-width:4px}.ours{font-weight:700;fill:#1f2328}"
        ".bad{font-size:11px;fill:#bd3a32}.ground{fill:#fff}.goal{stroke:#1f2328}.axis{stroke:#d1d9e0}"
        f"{light}@media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.figure,.note{{fill:#9198a1}}.figure{{stroke:#0d1117}}.ours{{fill:#e6edf3}}"
        f".bad{{fill:#f0776c}}.ground{{fill:#0d1117}}.goal{{stroke:#e6edf3}}.axis{{stroke:#3d444d}}{dark}}}</style>"
    )


def bars(
    title: str,
    unit: str,
    groups: Mapping[str, Mapping[str, float | None]],
    *,
    note: str = "",
    most: float | None = None,
    goals: Mapping[str, float] | None = None,
) -> str:
    """Lying bars: a group for each question, in it a bar for each series. None stands for a figure that was refused.

    A group of nothing but zeros is one line. `most` is where the scale ends, whatever was found; `goals` are marked in the
    groups of that name.
    """
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    longest = most or _longest(groups)
    scale = (_WIDTH - _LEFT - _RIGHT) / (longest or 1.0)
    parts, y = [*_legend(series, bool(goals))], float(_TOP)
    for label, group in groups.items():
        if is_nothing := bool(group) and all(value == 0 for value in group.values()):
            lines = [_text(_LEFT + 6, y + 11, "0 for all" if len(group) > 1 else "0", kind="figure")]
        else:
            lines = [line for number, name in enumerate(group) for line in _bar(y + number * _BAR, name, group, series, scale)]
        tall = _BAR if is_nothing else max(1, len(group)) * _BAR
        parts += [_text(_LEFT - 12, y + tall / 2 + 3, label, anchor="end"), _axis(y, tall)]
        if goals and label in goals:  # over the bars, and under the figures
            lines.append(_line("goal", _LEFT + min(goals[label], longest) * scale, y - 2, tall + 3, width=2))
        parts += sorted(lines, key=lambda line: line.startswith("<text"))
        y += tall + _GAP
    height = y + (22 if note else 0)
    parts += [_text(_EDGE, height - 10, note, kind="note")] if note else []
    return _picture(height, f"{title} ({unit})", parts)


def _colour(name: str, series: Sequence[str]) -> int:
    return (_PEERS.index(name) if name in _PEERS else series.index(name)) % len(LIGHT)


def _longest(groups: Mapping[str, Mapping[str, float | None]]) -> float:
    found = sorted(value for group in groups.values() for value in group.values() if value)
    return min(found[-1], _FARTHEST * found[len(found) // 2]) if found else 1.0


def _bar(y: float, name: str, group: Mapping[str, float | None], series: Sequence[str], scale: float) -> Iterator[str]:
    value, number = group[name], _colour(name, series)
    if value is None:
        yield _text(_LEFT + 6, y + 11, "refused: did not do what was asked", kind="bad")
        return
    whole, room = value * scale, float(_WIDTH - _LEFT - _RIGHT)
    length, is_cut = min(room, whole), whole > room + 0.5
    shape = f'x="{_LEFT}" y="{y:.1f}" width="{max(1.5, length) if value else 0:.1f}" height="{_BAR - 3}" rx="2"'
    yield f'<rect class="s{number}" {shape}/>'
    if is_cut:
        yield f'<path class="ground" d="M{_LEFT + length - 14:.1f} {y + _BAR:.1f}l6 -{_BAR + 2}h4l-6 {_BAR + 2}z"/>'
    kind = "figure ours" if name == _PEERS[0] and len(series) > 2 else "figure"
    yield _text(_LEFT + length + 6, y + 10.5, figure(value) + (" (cut)" if is_cut else ""), kind=kind)


def figure(value: float) -> str:
    """Three figures that say something, no more."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _legend(series: Sequence[str], has_goals: bool) -> Iterator[str]:
    x = float(_EDGE)
    for name in series:
        yield f'<rect class="s{_colour(name, series)}" x="{x:.0f}" y="44" width="12" height="12" rx="2"/>'
        yield _text(x + 17, 54, name)
        x += 40 + 6.6 * len(name)
    if has_goals:
        yield _line("goal", x + 6, 43, 14, width=2)
        yield _text(x + 17, 54, "at most")


def _axis(y: float, height: float) -> str:
    return _line("axis", _LEFT, y - 2, height + 1)


def _line(kind: str, x: float, y: float, height: float, *, width: int = 1) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{y + height:.1f}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'


def _picture(height: float, title: str, parts: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}" role="img"'
    ground = '<rect class="ground" width="100%" height="100%" rx="6"/>'
    heading = f"<title>{escape(title)}</title>", _style(), ground, _text(_EDGE, 28, title, kind="title")
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', *heading, *parts, "</svg>", ""])
