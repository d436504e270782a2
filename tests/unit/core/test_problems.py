from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.core.problems import Problems, Source, problems_of


def problem(name: str) -> Problem:
    return Problem(ObjectRef("Ingress", NamespacedName("shop", name)), "spec", "Code", "message", "consequence")


def source(name: str) -> Source:
    return "1", "shop", name


ONE, TWO, THREE = map(problem, ("one", "two", "three"))


def test_problems_stand_in_the_order_of_what_they_come_from() -> None:
    problems = Problems().changed({source("b"): (TWO, THREE)}).changed({source("a"): (ONE,)})
    assert tuple(problems) == (ONE, TWO, THREE)
    assert problems == (ONE, TWO, THREE)
    assert (len(problems), problems[0], problems[1:]) == (3, ONE, (TWO, THREE))


def test_a_changed_copy_leaves_the_first_as_it_was() -> None:
    first = Problems().changed({source("a"): (ONE,)})
    second = first.changed({source("a"): (), source("b"): (TWO,)})
    assert (tuple(first), tuple(second)) == ((ONE,), (TWO,))
    assert not second.changed({source("b"): ()})


def test_without_a_change_it_is_the_same_object() -> None:
    found = (ONE,)
    problems = Problems().changed({source("a"): found})
    assert problems.changed({source("a"): found, source("b"): ()}) is problems


def test_what_has_gone_and_what_has_come_is_seen_by_source_and_by_identity() -> None:
    before = Problems().changed({source("a"): (ONE, TWO), source("c"): (problem("kept"),)})
    after = before.changed({source("a"): (TWO, THREE), source("b"): (ONE,)})
    assert after.since(before) == ([ONE], [THREE, ONE])
    assert after.since(after) == ([], [])


def test_a_plain_sequence_counts_as_one_source() -> None:
    assert problems_of([TWO, ONE]).since(problems_of([TWO])) == ([], [ONE])
    made = problems_of([ONE])
    assert problems_of(made) is made
