"""Whether a container is started once more, and how long to wait before it is, or its image looked for again. Pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

_FIRST = 10.0
_LONGEST = 300.0
_RESET_AFTER = timedelta(minutes=10)
"""A container that ran this long starts afresh (twice the kubelet's longest back-off)."""


def is_to_restart(spec: Mapping[str, Any], pod_policy: str, *, is_init: bool, exit_code: int) -> bool:
    """Whether a container that ended by itself is started again; `pod_policy` is its pod's `restartPolicy`."""
    policy = spec.get("restartPolicy") or pod_policy
    if any(_applies(rule.get("exitCodes") or {}, exit_code) for rule in spec.get("restartPolicyRules") or ()):
        return True
    if is_init and spec.get("restartPolicy") != "Always" and exit_code == 0:
        return False
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _applies(rule: Mapping[str, Any], exit_code: int) -> bool:
    is_listed = exit_code in (rule.get("values") or ())
    return is_listed if rule.get("operator") == "In" else rule.get("operator") == "NotIn" and not is_listed


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
