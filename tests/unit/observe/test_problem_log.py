"""Log lines for people."""

import pytest

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.observe.problem_log import MOST, WITHIN, ProblemLog


def problem(name: str, severity: Severity = Severity.WARNING, *, namespace: str = "default") -> Problem:
    return Problem(ObjectRef("Ingress", NamespacedName(namespace, name)), "spec", "Code", "wrong", "ignored", severity)


def test_a_problem_is_a_line_when_it_appears_and_when_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    log = ProblemLog()
    log.tell([problem("a"), problem("a")])
    log.tell([problem("a"), problem("b", Severity.ERROR)])
    log.tell([])
    log.tell([problem("a")])
    assert [(record.levelname, record.message.split(":")[0]) for record in caplog.records] == [
        ("WARNING", "Ingress default/a"),
        ("ERROR", "Ingress default/b"),
        ("WARNING", "Ingress default/a"),
    ]


def test_a_crowd_of_problems_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    ProblemLog().tell([problem(str(number)) for number in range(MOST + 7)])
    assert len(caplog.records) == MOST + 1
    assert "7 more" in caplog.records[-1].message


def test_what_comes_and_goes_all_the_time_is_counted_and_hides_no_other_namespace_s(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = ProblemLog(lambda: now[0])
    for number in range(MOST + 30):
        log.tell([problem(str(number))])
    log.tell([problem("quiet", namespace="other")])
    assert len(caplog.records) == MOST + 2
    assert caplog.records[-1].message.startswith("Ingress other/quiet")
    now[0] = WITHIN
    log.tell([problem("later")])
    assert [record.message.split(":")[0] for record in caplog.records[-2:]] == [
        "30 problems were not named, in 10 seconds",
        "Ingress default/later",
    ]
