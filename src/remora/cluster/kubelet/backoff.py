"""How long to wait before a container is started, or its image looked for, once more. Pure."""

from datetime import timedelta

_FIRST = 10.0
_LONGEST = 300.0
_RESET_AFTER = timedelta(minutes=10)
"""A container that ran this long starts afresh (twice the kubelet's longest back-off)."""


def restart_pause(previous: float | None, *, ran_for: timedelta) -> float:
    """Seconds before a container that ended is started again: at once the first time, then 10, 20, 40, ... 300."""
    if previous is None or ran_for >= _RESET_AFTER:
        return 0.0
    return image_pause(previous)


def image_pause(previous: float) -> float:
    """Seconds before an image is looked for again: 10, 20, 40, ... 300; `previous` is 0 the first time."""
    return min(max(_FIRST, previous * 2), _LONGEST)


def render_duration(seconds: float) -> str:
    """As Go prints it: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
