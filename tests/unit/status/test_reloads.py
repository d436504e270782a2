import pytest

from remora.core.names import NamespacedName, ObjectRef
from remora.plan.outcome import Outcome, OutcomeKind
from remora.status.events import Note
from remora.status.reloads import reload_note

POD = ObjectRef("Pod", NamespacedName("ingress-remora", "controller-1"), "u1")


def test_a_reload_says_why() -> None:
    outcome = Outcome(2, OutcomeKind.RELOAD, ("the pool runs low", "the program is another"))
    assert reload_note(POD, outcome) == Note(
        POD, "Normal", "RELOAD", "HAProxy was reloaded: the pool runs low; the program is another"
    )


def test_a_reload_that_failed_is_a_warning_with_the_words_of_haproxy() -> None:
    note = reload_note(POD, Outcome(2, OutcomeKind.FAILED, error="unknown keyword"))
    assert note is not None
    assert (note.type, note.reason) == ("Warning", "RELOAD")
    assert "unknown keyword" in note.message


@pytest.mark.parametrize("kind", [OutcomeKind.UNCHANGED, OutcomeKind.RUNTIME])
def test_changes_without_a_reload_say_nothing(kind: OutcomeKind) -> None:
    assert reload_note(POD, Outcome(2, kind)) is None
