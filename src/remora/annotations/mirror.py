"""Mirroring of requests (behaviour reference, part B, section 7)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


@dataclass(frozen=True, slots=True)
class Mirror:
    """Who gets a copy of every request."""

    target: str = planned("mirror-target", "The URL that gets a copy of every request.", risk=Risk.HIGH)
    request_body: str = planned("mirror-request-body", "Whether the copy has the body.")
    host: str = planned("mirror-host", "The Host header of the copy.", risk=Risk.HIGH)
