"""From `session-learn` to how a route learns sessions."""

import hashlib

from remora.annotations.registry import Parsed
from remora.annotations.sessions import Sessions
from remora.model import Learning, NamedIn
from remora.translate.backends import BackendRef


def find_learning(parsed: Parsed, ref: BackendRef) -> Learning | None:
    """How the route of a service port learns sessions; None if it does not.

    All routes of the port share them: a session that begins at /login goes on at /shop.
    """
    source = parsed.of(Sessions).learn
    return Learning(NamedIn(source[0]), source[1], learning_scope(ref)) if source else None


def learning_scope(ref: BackendRef) -> str:
    """The scope of a service port's sessions."""
    parts = "\0".join((ref.service.namespace, ref.service.name, str(ref.port)))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
