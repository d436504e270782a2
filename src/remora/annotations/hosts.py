"""Further names of a host (behaviour reference, part A, section 7)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, planned


@dataclass(frozen=True, slots=True)
class Aliases:
    """Names under which a host is served as well."""

    names: str = planned("server-alias", "Further names of the host, between commas.", scope=Scope.HOST, risk=Risk.HIGH)
