"""The Event by which a controller's own pod tells that HAProxy was reloaded, and why. Pure."""

from remora.core.names import ObjectRef
from remora.plan.outcome import Outcome, OutcomeKind
from remora.status.events import RELOAD, WARNING, Note

_WORDS = {OutcomeKind.START: "HAProxy was started", OutcomeKind.RELOAD: "HAProxy was reloaded"}


def reload_note(pod: ObjectRef, outcome: Outcome) -> Note | None:
    """What there is to say of an Outcome; nothing, where HAProxy was changed as it ran or not at all."""
    if outcome.kind is OutcomeKind.FAILED:
        return Note(pod, WARNING, RELOAD, f"HAProxy does not run what is wanted: {outcome.error}")
    if (words := _WORDS.get(outcome.kind)) is None:
        return None
    return Note(pod, "Normal", RELOAD, f"{words}: {'; '.join(outcome.reasons)}" if outcome.reasons else words)
