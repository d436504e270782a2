"""How many sessions each server has, for the placement of new ones: what the program is told every second or two. Pure."""

from collections.abc import Iterable, Mapping

from remora.model import ForwardTo, Model, Placement, RouteId, SessionPolicy
from remora.observe.live_sessions import live_window
from remora.plan.outcome import LiveSession

Windows = Mapping[RouteId, float]
"""Tracked routes, and the seconds for which a session of each counts as live after it was seen."""


def needs_counts(policy: SessionPolicy) -> bool:
    """Whether the placement of new sessions depends on how many there are."""
    return policy.limit is not None or policy.placement is Placement.LEAST_SESSIONS


def counted_windows(model: Model) -> Windows:
    """The windows of all tracked routes; none, if no route needs a count.

    A route's limit is about all sessions of its pods, so those of other routes count as well.
    """
    actions = [(route, route.action) for host in model.virtual_hosts for route in host.all_routes]
    sticky = [(route.id, action.affinity) for route, action in actions if isinstance(action, ForwardTo) and action.affinity]
    if not any(needs_counts(affinity.sessions) for _, affinity in sticky):
        return {}
    return {route: live_window(affinity) for route, affinity in sticky if affinity.sessions.tracking}


def count_by_server(windows: Windows, sessions: Iterable[LiveSession]) -> dict[str, int]:
    """The live sessions of each server that has any. One that was seen on several routes of a server counts once."""
    live = {
        (session.server, session.id)
        for session in sessions
        if (window := windows.get(session.route)) is not None and (session.in_use or session.idle_seconds < window)
    }
    counts: dict[str, int] = {}
    for server, _ in live:
        counts[server] = counts.get(server, 0) + 1
    return counts
