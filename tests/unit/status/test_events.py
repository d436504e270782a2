from hypothesis import given
from hypothesis import strategies as st

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.status.events import BURST, FORGIVEN_AFTER, LONGEST_MESSAGE, Note, Notebook, Saying, event_body, event_name, note_of

REF = ObjectRef("Ingress", NamespacedName("shop", "web"), "u1")
NOW = "2026-01-01T00:00:00Z"


def _problem(field: str = "spec", message: str = "is wrong") -> Problem:
    return Problem(REF, field, "Wrong", message, "left out")


def _drain(notebook: Notebook) -> list[Note]:
    notes = []
    while saying := notebook.next(0.0):
        notes.append(saying.note)
    return notes


def test_a_problem_is_told_once_while_it_lasts() -> None:
    notebook = Notebook()
    notebook.take([_problem(), _problem()], [])
    assert _drain(notebook) == [note_of(_problem())]
    notebook.take([_problem()], [])
    assert _drain(notebook) == []


def test_a_problem_that_comes_back_is_told_again() -> None:
    notebook = Notebook()
    for problems in ([_problem()], [], [_problem()]):
        notebook.take(problems, [])
        told = _drain(notebook)
    assert told == [note_of(_problem())]


def test_a_problem_does_not_wait_for_a_crowd_of_syncs() -> None:
    notebook = Notebook()
    crowd = [ObjectRef("Ingress", NamespacedName("shop", f"web-{number}")) for number in range(100)]
    notebook.take([], crowd)
    notebook.take([_problem("a"), _problem("b")], crowd)
    told = _drain(notebook)
    assert told[:2] == [note_of(_problem("a")), note_of(_problem("b"))]
    assert [note.object for note in told[2:]] == crowd


def test_a_problem_that_went_before_its_turn_is_not_told() -> None:
    notebook = Notebook()
    notebook.take([_problem("a"), _problem("b")], [])
    notebook.take([_problem("b")], [])
    assert [note.message for note in _drain(notebook)] == ["b: is wrong; left out"]


def test_an_ingress_says_sync_when_it_is_first_served() -> None:
    notebook = Notebook()
    notebook.take([], [REF])
    notebook.take([], [REF])
    assert [(note.type, note.reason) for note in _drain(notebook)] == [("Normal", "Sync")]
    silent = Notebook(sync_events=False)
    silent.take([], [REF])
    assert _drain(silent) == []


def test_an_event_names_its_object_and_the_same_content_has_the_same_name() -> None:
    note = note_of(_problem())
    body = event_body(note, now=NOW, instance="pod-1")
    assert body["involvedObject"] == {
        "kind": "Ingress",
        "name": "web",
        "apiVersion": "networking.k8s.io/v1",
        "namespace": "shop",
        "uid": "u1",
    }
    assert body["metadata"] == {"name": event_name(note), "namespace": "shop"}
    assert event_name(note) == event_name(note_of(_problem())) != event_name(note_of(_problem("other")))


def test_events_of_objects_without_namespace_are_kept_in_default() -> None:
    note = Note(ObjectRef("IngressClass", NamespacedName("", "nginx")), "Warning", "Wrong", "x")
    assert event_body(note, now=NOW, instance="p")["metadata"]["namespace"] == "default"


@given(st.text(max_size=3000))
def test_messages_fit_into_an_event(message: str) -> None:
    note = Note(REF, "Warning", "Wrong", message.encode(errors="ignore").decode())
    assert len(event_body(note, now=NOW, instance="p")["message"].encode()) <= LONGEST_MESSAGE


def test_a_problem_that_comes_back_says_that_it_was_said_before() -> None:
    notebook = Notebook()
    note = note_of(_problem())
    notebook.take([_problem()], [])
    assert notebook.next(0.0) == Saying(note)
    notebook.take([], [])
    notebook.take([_problem()], [])
    assert notebook.next(0.0) == Saying(note, is_again=True)


def test_what_happens_again_before_its_turn_is_said_once_with_its_number() -> None:
    notebook = Notebook()
    note = Note(REF, "Normal", "RELOAD", "why")
    for _ in range(3):
        notebook.add(note)
    assert notebook.next(0.0) == Saying(note, times=3)
    assert notebook.next(0.0) is None


def test_an_object_has_only_so_many_events_and_others_do_not_wait_for_it() -> None:
    notebook = Notebook()
    noisy = [_problem(str(number)) for number in range(BURST + 5)]
    quiet = ObjectRef("Ingress", NamespacedName("shop", "quiet"))
    notebook.take(noisy, [quiet])
    told = _drain(notebook)
    assert len(told) == BURST + 1
    assert told[-1].object == quiet
    assert notebook.has_waiting
    assert notebook.next(FORGIVEN_AFTER) is not None
    assert notebook.next(FORGIVEN_AFTER) is None
    assert notebook.next(2 * FORGIVEN_AFTER) is not None


def test_namespaces_take_turns_so_that_nobody_waits_for_anothers_crowd() -> None:
    notebook = Notebook()
    crowd = [
        Problem(ObjectRef("Ingress", NamespacedName("noisy", f"web-{number}")), "spec", "Wrong", "is wrong", "left out")
        for number in range(1000)
    ]
    notebook.take(crowd, [])
    notebook.take([*crowd, _problem()], [])
    told = [notebook.next(0.0) for _ in range(2)]
    assert note_of(_problem()) in [saying.note for saying in told if saying]


def test_what_two_say_is_said_while_one_of_them_says_it() -> None:
    notebook = Notebook()
    one, same = _problem(), _problem()
    notebook.take([one, same], [])
    notebook.take([same], [])
    assert _drain(notebook) == [note_of(one)]
