"""From the annotations under `remora.io/` to what is known and promised of a route's sessions."""

from remora.annotations.registry import Parsed
from remora.annotations.sessions import Sessions
from remora.model import SessionPolicy


def find_sessions(parsed: Parsed) -> SessionPolicy:
    """What the Ingress wants of the sessions of its routes."""
    group = parsed.of(Sessions)
    return SessionPolicy(tracking=group.tracking)
