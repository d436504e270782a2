"""What each fault has cost, as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

TITLES = ("fault", "requests", "failed", "of these under way", "sessions broken", "WebSockets cut", "seconds until right")


@dataclass(frozen=True)
class Row:
    """Of one fault. `seconds` count from when the fault ended, or from a kill."""

    fault: str
    requests: int
    failed: int
    under_way: int
    moved: int
    cut: int
    seconds: float


ROWS: list[Row] = []


def rendered(rows: Sequence[Row]) -> Iterator[str]:
    """Lines in Markdown, aligned."""
    cells = [TITLES, *(tuple(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in astuple(row)) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(TITLES))]
    for number, line in enumerate(cells):
        first, *others = zip(line, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        yield f"| {' | '.join(padded)} |"
        if number == 0:
            yield f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |"
