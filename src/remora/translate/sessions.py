"""From the annotations under `remora.io/` to what is known and promised of a route's sessions."""

from collections.abc import Iterator

from remora.annotations.affinity import Affinity
from remora.annotations.registry import Parsed
from remora.annotations.sessions import Sessions
from remora.core.names import ObjectRef
from remora.core.problem import Problem
from remora.model import CookieFormat, Placement, SessionPolicy


def find_sessions(parsed: Parsed, *, cookie_format: CookieFormat = CookieFormat.REMORA) -> SessionPolicy:
    """What the Ingress wants of the sessions of its routes."""
    group = parsed.of(Sessions)
    form = CookieFormat(group.cookie_format) if group.cookie_format else cookie_format
    placement, limit = Placement(group.placement), group.limit or None
    return SessionPolicy(
        tracking=group.tracking or limit is not None or placement is Placement.LEAST_SESSIONS,
        idle_timeout=group.idle_timeout or None,
        absolute_timeout=group.absolute_timeout or None,
        placement=placement,
        limit=limit,
        overflow=limit is not None and group.overflow == "allow",
        cookie_format=form,
        sliding=group.cookie_sliding and _has_lifetime(parsed),
    )


def _has_lifetime(parsed: Parsed) -> bool:
    group = parsed.of(Affinity)
    return any(seconds is not None and seconds > 0 for seconds in (group.cookie_max_age, group.cookie_expires))


_OF_A_COOKIE = {
    "tracking": "session-tracking",
    "cookie_format": "session-cookie-format",
    "cookie_partitioned": "session-cookie-partitioned",
    "cookie_sliding": "session-cookie-sliding",
    "idle_timeout": "session-idle-timeout",
    "absolute_timeout": "session-absolute-timeout",
    "placement": "session-placement",
    "limit": "session-limit",
    "overflow": "session-overflow",
}
"""Fields that need a session cookie, and their annotations."""


def session_problems(ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """What an Ingress asks of sessions that cannot have any effect."""
    group, usual = parsed.of(Sessions), parsed.defaults.of(Sessions)
    if parsed.of(Affinity).kind != "cookie":
        asked = [name for field, name in _OF_A_COOKIE.items() if getattr(group, field) != getattr(usual, field)]
        if asked:
            message = f"there are no sessions for {', '.join(asked)}; set the annotation affinity to cookie"
            yield Problem(ref, "metadata.annotations", "SessionsWithoutAffinity", message, "it has no effect")
    elif group.cookie_sliding and not usual.cookie_sliding and not _has_lifetime(parsed):
        message = "session-cookie-sliding renews a lifetime; set session-cookie-max-age or session-cookie-expires"
        yield Problem(ref, "metadata.annotations", "SlidingWithoutLifetime", message, "it has no effect")
