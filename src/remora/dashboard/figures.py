"""Numbers as people read them. Pure."""


def figure(value: float) -> str:
    """A number in at most four places: 0, 4.2, 123, 12.3k."""
    if value < 999.5:
        return str(int(value)) if value == int(value) else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
    unit, divisor = next(
        (unit, divisor)
        for limit, divisor, unit in ((999_500, 1e3, "k"), (999.5e6, 1e6, "M"), (float("inf"), 1e9, "G"))
        if value < limit
    )
    scaled = value / divisor
    return f"{scaled:.1f}{unit}" if scaled < 99.95 else f"{scaled:.0f}{unit}"


def rate_figure(value: float) -> str:
    """Events a second; what is less than one in twenty seconds still is not nothing."""
    return "< 0.1" if 0 < value < 0.05 else figure(round(value, 1))


def duration(seconds: float | None) -> str:
    """A time: 0.4 ms, 18 ms, 1.2 s; an en dash without one."""
    if seconds is None:
        return "–"  # noqa: RUF001
    if not seconds:
        return "0 ms"
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def count(number: int, noun: str) -> str:
    """A number of things: 1 session, 2 sessions."""
    return f"{figure(number)} {noun}" if number == 1 else f"{figure(number)} {noun}s"
