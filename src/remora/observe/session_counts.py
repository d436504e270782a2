"""How many sessions each server has, for the placement of new ones: what the program is told every second or two. Pure, but
for the note of what was read already.
"""

from collections.abc import Iterable, Iterator, Mapping

from remora.core.differing import differing
from remora.core.names import Hostname
from remora.model import Affinity, ForwardTo, Model, Placement, RouteId, SessionPolicy, VirtualHost
from remora.observe.live_sessions import live_window
from remora.plan.outcome import LiveSession

Windows = Mapping[RouteId, float]
"""Tracked routes, and the seconds for which a session of each counts as live after it was seen."""


def needs_counts(policy: SessionPolicy) -> bool:
    """Whether the placement of new sessions depends on how many there are."""
    return policy.limit is not None or policy.placement is Placement.LEAST_SESSIONS


class CountedWindows:
    """The windows of all tracked routes, while any route needs a count.

    A route's limit is about all sessions of its pods, so those of other routes count as well. Only hosts that are other than in
    the Model before are looked at.
    """

    def __init__(self) -> None:
        self._hosts: tuple[VirtualHost, ...] = ()
        self._needing: set[Hostname] = set()
        self._windows: dict[RouteId, float] = {}

    def follow(self, model: Model) -> Windows:
        """Those of a Model; none if nothing needs a count. They are not to be kept beyond the next call."""
        gone, come = differing(self._hosts, model.virtual_hosts)
        for host in gone:
            self._needing.discard(host.host)
            for route, _ in _tracked(host):
                self._windows.pop(route, None)
        for host in come:
            if any(needs_counts(affinity.sessions) for _, affinity in _sticky(host)):
                self._needing.add(host.host)
            self._windows |= {route: live_window(affinity) for route, affinity in _tracked(host)}
        self._hosts = model.virtual_hosts
        return self._windows if self._needing else {}


def _sticky(host: VirtualHost) -> Iterator[tuple[RouteId, Affinity]]:
    for route in host.all_routes:
        if isinstance(route.action, ForwardTo) and route.action.affinity:
            yield route.id, route.action.affinity


def _tracked(host: VirtualHost) -> Iterator[tuple[RouteId, Affinity]]:
    return ((route, affinity) for route, affinity in _sticky(host) if affinity.sessions.tracking)


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
