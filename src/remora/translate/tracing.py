"""From annotations to how a route is traced."""

from remora.annotations.observing import Observing
from remora.annotations.registry import Parsed
from remora.model import Tracing


def find_tracing(parsed: Parsed) -> Tracing | None:
    """None for a route without spans of its own; a client's `traceparent` reaches its pods as it is."""
    group = parsed.of(Observing)
    return Tracing(group.trust_incoming_span, group.operation_name) if group.tracing else None
