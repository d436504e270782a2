"""Live sessions from HAProxy's stick table, read piece by piece, so that a long table keeps nobody waiting."""

import re

from remora.model import RouteId
from remora.plan.outcome import LiveSession

SHOW_SESSIONS = "show table sessions"

_ENTRY = re.compile(rb"key=([^/\s]+)/([^/\s]+)/([^/\s]+) use=(\d+) exp=(\d+)")


class SessionTableReader:
    """Takes the reply of `show table` as it comes. `expire` is the table's own, in seconds.

    Lines that are no sessions (the table's head, an error of HAProxy's, a key of another shape) say nothing.
    """

    def __init__(self, expire: float) -> None:
        self._expire = expire
        self._rest = b""
        self._names: dict[bytes, str] = {}
        self._sessions: list[LiveSession] = []

    def feed(self, data: bytes) -> None:
        """Takes the next piece, wherever it is cut."""
        whole, end, self._rest = (self._rest + data).rpartition(b"\n")
        if end:
            self._take(whole)

    def finish(self) -> tuple[LiveSession, ...]:
        """All sessions of the reply, which is at its end."""
        self._take(self._rest)
        self._rest = b""
        return tuple(self._sessions)

    def _take(self, text: bytes) -> None:
        for route, server, identifier, use, expires in _ENTRY.findall(text):
            idle = max(0.0, self._expire - int(expires) / 1000)
            session = LiveSession(
                RouteId(self._name(route)), self._name(server), identifier.decode("ascii", "replace"), idle, use != b"0"
            )
            self._sessions.append(session)

    def _name(self, name: bytes) -> str:
        """Routes and servers are few and each is the same text in many sessions."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = name.decode("ascii", "replace")
        return known


def parse_sessions(reply: str, expire: float) -> tuple[LiveSession, ...]:
    """The sessions of a whole reply."""
    reader = SessionTableReader(expire)
    reader.feed(reply.encode())
    return reader.finish()
