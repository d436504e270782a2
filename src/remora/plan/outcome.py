"""What became of a wanted Configuration."""

from enum import Enum

import msgspec

from remora.haproxy.features.broken_sessions import Reason
from remora.model import RouteId


class OutcomeKind(Enum):
    """How the data plane got there."""

    UNCHANGED = "unchanged"
    RUNTIME = "runtime"
    RELOAD = "reload"
    START = "start"
    FAILED = "failed"


class Outcome(msgspec.Struct, frozen=True):
    """`generation` counts the Configurations that were applied with an effect. `reasons` are those of a reload or start;
    `error` is HAProxy's own text when it refused. `refused` names backends whose own directives HAProxy does not take."""

    generation: int
    kind: OutcomeKind
    reasons: tuple[str, ...] = ()
    commands: int = 0
    seconds: float = 0.0
    error: str = ""
    refused: tuple[str, ...] = ()


class RequestCount(msgspec.Struct, frozen=True):
    """Requests answered on a route with a status, since the executor started."""

    route: RouteId
    code: int
    count: int


class BrokenCount(msgspec.Struct, frozen=True):
    """Sessions that broke on a route for a reason, since the executor started."""

    route: RouteId
    reason: Reason
    count: int


class LiveSession(msgspec.Struct, frozen=True, gc=False):
    """A session as HAProxy's table has it: seen on a route, on the server of that name, `idle_seconds` ago.

    `in_use` says that a request or a WebSocket of it is under way. One session has an entry for each route that it visits.
    """

    route: RouteId
    server: str
    id: str
    idle_seconds: float
    in_use: bool


class ServerCount(msgspec.Struct, frozen=True, gc=False):
    """A server of a backend (of its configured name): what it was given since the executor started, and how it does now."""

    backend: str
    server: str
    requests: int
    errors: int
    connections: int
    response_ms: int


class ProxyReading(msgspec.Struct, frozen=True):
    """What HAProxy says of itself and its servers. `former_workers` are those of before a reload."""

    version: str
    pid: int
    uptime: float
    workers: int
    former_workers: int
    connections: int
    servers: tuple[ServerCount, ...]
