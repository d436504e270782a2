"""Jobs: what they begin, what they count, and when they are over."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.cluster.controllers.actions import Create, Delete, Update
from remora.cluster.controllers.job import JOBS, decide, orphaned
from remora.cluster.controllers.job_pods import FINALIZER, parse_indexes, render_indexes
from remora.cluster.objects import Object, is_active, is_terminating, render_time
from tests.unit.cluster.controllers.workloads import NOW, later
from tests.unit.cluster.controllers.world import World


def _job(**spec: Any) -> Object:
    container = {"name": "main", "image": "work:1"}
    labels = {"batch.kubernetes.io/controller-uid": "j"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "work", "namespace": "default", "uid": "j", "generation": 1},
        "spec": {"parallelism": 1, "completions": 1, "selector": {"matchLabels": labels}, "template": template, **spec},
        "status": {},
    }


class Run:
    """A Job in a world whose clock stands still until it is moved."""

    def __init__(self, **spec: Any) -> None:
        self.world = World()
        self.world.objects[JOBS] = {"work": _job(**spec)}
        self.seconds = 0.0

    @property
    def job(self) -> Object:
        return self.world.objects[JOBS]["work"]

    @property
    def status(self) -> Object:
        return dict(self.job["status"])

    @property
    def active(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.world.pods if is_active(pod)]

    def conditions(self) -> list[str]:
        return [found["type"] for found in self.status.get("conditions", ()) if found["status"] == "True"]

    def change(self, **spec: Any) -> None:
        self.world.objects[JOBS]["work"] = {**self.job, "spec": {**self.job["spec"], **spec}}

    def step(self) -> float | None:
        decision = decide(self.job, self.world.pods, now=later(self.seconds))
        self.world.apply(decision.actions)
        return decision.again_in

    def rest(self) -> float | None:
        for _ in range(50):
            before = repr(self.world.objects)
            wait = self.step()
            if repr(self.world.objects) == before:
                return wait
        pytest.fail("it never comes to rest")

    def end(self, phase: str, *, number: int = 0, code: int = 1) -> None:
        self.world.end(self.active[number], phase, at=render_time(later(self.seconds)), code=code)
        self.rest()


def test_job_begins_as_many_pods_as_may_work_at_once() -> None:
    run = Run(completions=5, parallelism=2)
    run.rest()
    assert len(run.active) == 2
    assert run.status["active"] == 2
    assert all(pod["metadata"]["finalizers"] == [FINALIZER] for pod in run.world.pods)
    run.end("Succeeded")
    assert (len(run.active), run.status["succeeded"]) == (2, 1)


def test_job_says_first_that_it_will_be_complete_and_then_that_it_is() -> None:
    run = Run()
    run.rest()
    run.end("Succeeded")
    assert run.conditions() == ["SuccessCriteriaMet", "Complete"]
    assert run.status["completionTime"] == run.status["startTime"]
    assert run.status["uncountedTerminatedPods"] == {}
    assert "finalizers" not in run.world.pods[0]["metadata"]


def test_no_more_pods_are_begun_than_completions_are_missing() -> None:
    run = Run(completions=2, parallelism=5)
    run.rest()
    assert len(run.active) == 2


def test_work_queue_ends_when_one_succeeded_and_none_works() -> None:
    run = Run(completions=None, parallelism=3)
    run.rest()
    run.end("Succeeded")
    assert (len(run.active), run.conditions()) == (2, [])
    run.end("Succeeded")
    run.end("Succeeded")
    assert "Complete" in run.conditions()


def test_failed_pod_is_replaced_after_a_pause_that_doubles() -> None:
    run = Run()
    run.rest()
    waits = []
    for _ in range(3):
        run.end("Failed")
        wait = run.rest()
        assert wait is not None
        assert run.active == []
        waits.append(wait)
        run.seconds += wait
        run.rest()
    assert waits == [10, 20, 40]
    assert run.status["failed"] == 3


@pytest.mark.parametrize(("limit", "failures"), [(0, 1), (2, 3)])
def test_too_many_failures_end_the_job(limit: int, failures: int) -> None:
    run = Run(backoffLimit=limit, parallelism=1)
    for _ in range(failures):
        run.seconds += 10_000
        run.rest()
        run.end("Failed")
    assert run.conditions() == ["FailureTarget", "Failed"]
    assert run.status["conditions"][-1]["reason"] == "BackoffLimitExceeded"
    assert run.status["failed"] == failures


def test_failed_job_stops_its_pods_before_it_is_over() -> None:
    run = Run(completions=2, parallelism=2, backoffLimit=0)
    run.rest()
    run.end("Failed")
    assert run.conditions() == ["FailureTarget"]
    (ending,) = [pod for pod in run.world.pods if is_terminating(pod)]
    run.world.stop(ending["metadata"]["name"])
    run.rest()
    assert run.conditions() == ["FailureTarget", "Failed"]
    assert run.status["failed"] == 2


def test_deadline_ends_the_job() -> None:
    run = Run(activeDeadlineSeconds=30)
    assert run.rest() == 30
    run.seconds = 31
    run.rest()
    run.world.stop(run.world.pods[0]["metadata"]["name"])
    run.rest()
    assert run.status["conditions"][-1]["reason"] == "DeadlineExceeded"


def test_suspended_job_stops_and_goes_on() -> None:
    run = Run(parallelism=2, completions=2, suspend=True)
    run.rest()
    assert (run.active, run.conditions()) == ([], ["Suspended"])
    assert "startTime" not in run.status
    run.change(suspend=False)
    run.rest()
    assert (len(run.active), run.conditions()) == (2, [])
    run.change(suspend=True)
    run.rest()
    assert run.active == []


def test_each_index_is_worked_on_until_it_succeeded() -> None:
    run = Run(completions=3, parallelism=2, completionMode="Indexed")
    run.rest()
    first = run.world.pods[0]
    assert first["metadata"]["name"].startswith("work-0-")
    assert first["spec"]["hostname"] == "work-0"
    assert first["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "0"
    assert first["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    run.end("Succeeded", number=1)
    assert run.status["completedIndexes"] == "1"
    assert [name.rsplit("-", 1)[0] for name in run.active] == ["work-0", "work-2"]
    run.end("Succeeded")
    run.end("Succeeded")
    assert (run.status["completedIndexes"], run.status["succeeded"]) == ("0-2", 3)
    assert "Complete" in run.conditions()


def test_index_that_failed_too_often_fails_the_job_at_the_end() -> None:
    run = Run(completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=0, backoffLimit=2**31 - 1)
    run.rest()
    run.end("Failed")
    assert (run.status["failedIndexes"], run.conditions()) == ("0", [])
    run.end("Succeeded")
    assert run.status["conditions"][-1]["reason"] == "FailedIndexes"


def test_success_policy_ends_the_job_early() -> None:
    rules = [{"succeededIndexes": "0", "succeededCount": 1}]
    run = Run(completions=3, parallelism=3, completionMode="Indexed", successPolicy={"rules": rules})
    run.rest()
    run.end("Succeeded")
    assert run.conditions() == ["SuccessCriteriaMet"]
    run.world.settle()
    run.rest()
    assert run.status["conditions"][-1]["reason"] == "SuccessPolicy"


@pytest.mark.parametrize(("action", "failed", "conditions"), [("FailJob", 1, ["FailureTarget", "Failed"]), ("Ignore", 0, [])])
def test_exit_code_decides_what_a_failure_means(action: str, failed: int, conditions: list[str]) -> None:
    rule = {"action": action, "onExitCodes": {"operator": "In", "values": [42]}}
    run = Run(podFailurePolicy={"rules": [rule]}, podReplacementPolicy="Failed")
    run.rest()
    run.end("Failed", code=42)
    assert (run.status.get("failed", 0), run.conditions()) == (failed, conditions)


def test_finished_job_goes_after_its_time() -> None:
    run = Run(ttlSecondsAfterFinished=60)
    run.rest()
    run.end("Succeeded")
    assert decide(run.job, run.world.pods, now=NOW).again_in == 60
    (gone,) = decide(run.job, run.world.pods, now=later(61)).actions
    assert isinstance(gone, Delete)
    assert gone.propagation == "Foreground"


def test_pods_of_a_job_that_is_gone_are_let_go() -> None:
    run = Run()
    run.rest()
    assert orphaned(run.world.pods, [run.job]) == ()
    (freed,) = orphaned(run.world.pods, [])
    assert isinstance(freed, Update)
    assert "finalizers" not in freed.object["metadata"]


def test_job_of_another_manager_is_left_alone() -> None:
    assert decide(_job(managedBy="example.com/queue"), [], now=NOW).actions == ()


@given(st.frozensets(st.integers(0, 40)))
def test_indexes_are_read_as_they_are_written(indexes: frozenset[int]) -> None:
    assert parse_indexes(render_indexes(indexes)) == indexes


def test_three_indexes_in_a_row_are_a_range() -> None:
    assert render_indexes({1, 3, 4, 5, 7, 8}) == "1,3-5,7,8"


@settings(max_examples=60, deadline=None)
@given(
    completions=st.integers(1, 5),
    parallelism=st.integers(1, 4),
    indexed=st.booleans(),
    ends=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=30, max_size=40),
    stops=st.lists(st.integers(1, 6), min_size=40, max_size=40),
)
def test_every_end_is_counted_once_even_if_the_controller_is_killed_in_between(
    completions: int, parallelism: int, indexed: bool, ends: list[tuple[int, bool]], stops: list[int]
) -> None:
    """Each decision is carried out only in part, as if the process had been killed, and made again."""
    mode = "Indexed" if indexed else "NonIndexed"
    run = Run(completions=completions, parallelism=parallelism, completionMode=mode, backoffLimit=1000)
    succeeded = failed = 0
    for (chosen, success), stop in zip(ends, stops, strict=False):
        run.seconds += 10_000
        decision = decide(run.job, run.world.pods, now=later(run.seconds))
        run.world.apply(decision.actions[:stop])
        run.rest()
        assert len(run.active) <= parallelism
        if not run.active:
            break
        name = run.active[chosen % len(run.active)]
        succeeded, failed = succeeded + success, failed + (not success)
        run.world.end(name, "Succeeded" if success else "Failed", at=render_time(later(run.seconds)))
        partly = decide(run.job, run.world.pods, now=later(run.seconds))
        run.world.apply(partly.actions[:stop])
    run.seconds += 10_000
    run.rest()
    assert run.status.get("succeeded", 0) == succeeded
    assert run.status.get("failed", 0) == failed
    assert ("Complete" in run.conditions()) == (succeeded == completions)


def test_created_pods_are_announced() -> None:
    run = Run()
    run.step()
    decision = decide(run.job, run.world.pods, now=NOW)
    create = next(action for action in decision.actions if isinstance(action, Create))
    assert create.note is not None
    assert create.note.reason == "SuccessfulCreate"
