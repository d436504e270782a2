"""Charts as SVG, without a library: lying bars by group. Pure; both of the suite's halves draw with it."""

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#0b6e99", "#8a8f98", "#3f9b54", "#a05cb5", "#d9822b", "#b8433a")
"""In the order of the series; ours comes first."""

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP, _TOP = 920, 350, 90, 13, 14, 78
_FONT = 'font-family="system-ui,sans-serif"'


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float | None]], *, note: str = "") -> str:
    """Lying bars: a group for each question, in it a bar for each series. None stands for a figure that was refused.

    A bar more than eight times as long as the median is cut, and says its figure.
    """
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    found = sorted(value for group in groups.values() for value in group.values() if value is not None)
    longest = min(found[-1], 8 * found[len(found) // 2]) if found else 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / (longest or 1.0)
    parts, y = [*_legend(series)], float(_TOP)
    for label, group in groups.items():
        middle = y + len(group) * _BAR / 2 + 4
        parts.append(_text(_LEFT - 10, middle, label, anchor="end"))
        for name, value in group.items():
            parts += _bar(y, value, min(longest, value or 0.0) * scale, COLOURS[series.index(name) % len(COLOURS)], longest)
            y += _BAR
        y += _GAP
    height = y + (24 if note else 4)
    parts += [_text(16, height - 8, note, size=11, fill="#666")] if note else []
    return _picture(height, f"{title} ({unit})", parts)


def _bar(y: float, value: float | None, length: float, colour: str, longest: float) -> Sequence[str]:
    if value is None:
        return [_text(_LEFT + 4, y + 10, "refused: did not do what was asked", size=10, fill="#a33")]
    cut = " (cut)" if value > longest else ""
    rectangle = f'<rect x="{_LEFT}" y="{y:.1f}" width="{max(1.0, length):.1f}" height="{_BAR - 2}" fill="{colour}"/>'
    return [rectangle, _text(_LEFT + length + 4, y + 10, figure(value) + cut, size=10)]


def figure(value: float) -> str:
    """Three figures that say something, no more."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _legend(series: Sequence[str]) -> Sequence[str]:
    parts, x = [], 16.0
    for number, name in enumerate(series):
        parts.append(f'<rect x="{x:.0f}" y="44" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(_text(x + 17, 55, name))
        x += 36 + 7 * len(name)
    return parts


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, fill: str = "#222") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" {_FONT}>{escape(text)}</text>'
    )


def _picture(height: float, title: str, parts: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}"'
    heading = f'<text x="16" y="28" font-size="16" font-weight="600" fill="#111" {_FONT}>{escape(title)}</text>'
    ground = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', ground, heading, *parts, "</svg>", ""])
