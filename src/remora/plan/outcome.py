"""What became of a wanted Configuration."""

from enum import Enum

import msgspec

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
