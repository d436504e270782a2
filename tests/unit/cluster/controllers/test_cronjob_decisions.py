"""When CronJobs are due, and what they begin and clear away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from remora.cluster.controllers.actions import Create, Delete, Note, Update
from remora.cluster.controllers.cronjob import decide
from remora.cluster.controllers.schedule import parse_schedule
from remora.cluster.objects import Object, controller_reference
from tests.unit.cluster.controllers.workloads import NOW, later

SUNDAY = datetime(2026, 2, 1, 12, 30, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("* * * * *", "2026-02-01T12:31"),
        ("*/20 * * * *", "2026-02-01T12:40"),
        ("5/30 * * * *", "2026-02-01T12:35"),
        ("0 9-17/4 * * *", "2026-02-01T13:00"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("15 3 * * mon-fri", "2026-02-02T03:15"),
        ("0 0 13 * FRI", "2026-02-06T00:00"),
        ("0 0 */2 * MON", "2026-02-09T00:00"),
        ("0 12 1,15 jan,mar ?", "2026-03-01T12:00"),
        ("@daily", "2026-02-02T00:00"),
        ("@weekly", "2026-02-08T00:00"),
    ],
)
def test_next_moment_is_what_cron_would_say(text: str, wanted: str) -> None:
    assert parse_schedule(text).next(SUNDAY) == datetime.fromisoformat(f"{wanted}:00+00:00")


def test_interval_counts_from_the_last_time() -> None:
    assert parse_schedule("@every 1h30m").next(SUNDAY) == SUNDAY + timedelta(minutes=90)


def test_date_that_never_comes_is_never_due() -> None:
    assert parse_schedule("0 0 30 2 *").next(SUNDAY) is None


@pytest.mark.parametrize(
    "text", ["", "* * * *", "60 * * * *", "* * * * 7", "5-1 * * * *", "*/0 * * * *", "x * * * *", "@often", "@every 5"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_schedule(text)


_FIELD = st.one_of(st.just("*"), st.integers(1, 6).map(str), st.integers(1, 5).map(lambda n: f"*/{n}"), st.just("1-4"))


@settings(max_examples=80)
@given(st.lists(_FIELD, min_size=5, max_size=5).map(" ".join), st.integers(0, 400 * 24 * 60))
@example("* * 1 1 */4", 0)
def test_next_moment_is_the_first_that_matches(text: str, minutes: int) -> None:
    schedule = parse_schedule(text)
    start = SUNDAY + timedelta(minutes=minutes)
    found = schedule.next(start)
    # Some dates fall on a weekday more seldom than every five years, beyond which Kubernetes does not look either.
    assume(found is not None)
    assert found is not None
    assert found > start
    assert schedule.next(found - timedelta(minutes=1)) == found
    halfway = start + (found - start) / 2
    assert schedule.next(halfway) == found


def _cronjob(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"team": "a"}}, "spec": {"template": {"spec": {}}}}
    metadata = {"name": "tick", "namespace": "default", "uid": "c", "creationTimestamp": "2026-05-01T11:59:30Z"}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {"schedule": "* * * * *", "jobTemplate": template, **spec},
        "status": {},
    }


def _job(owner: Object, name: str, end: str = "", **status: Any) -> Object:
    conditions = [{"type": end, "status": "True"}] if end else []
    metadata = {"name": name, "namespace": "default", "uid": name, "ownerReferences": [controller_reference(owner)]}
    return {"metadata": metadata, "spec": {}, "status": {"conditions": conditions, **status}}


def test_job_is_begun_at_its_time_and_noted() -> None:
    owner = _cronjob()
    create, noted = decide(owner, [], now=NOW).actions
    assert isinstance(create, Create)
    assert create.object["metadata"]["name"] == f"tick-{int(NOW.timestamp()) // 60}"
    assert create.object["metadata"]["labels"] == {"team": "a"}
    assert isinstance(noted, Update)
    assert noted.object["status"] == {"lastScheduleTime": "2026-05-01T12:00:00Z"}
    again = decide({**owner, "status": noted.object["status"]}, [], now=later(10))
    assert again.actions == ()
    assert again.again_in == pytest.approx(50.1)


def test_job_that_exists_is_not_begun_twice() -> None:
    owner = _cronjob()
    existing = _job(owner, f"tick-{int(NOW.timestamp()) // 60}")
    (noted,) = decide(owner, [existing], now=NOW).actions
    assert isinstance(noted, Update)
    assert noted.object["status"]["active"][0]["name"] == existing["metadata"]["name"]


@pytest.mark.parametrize("end", ["Complete", "Failed"])
def test_a_job_that_was_active_and_is_over_is_noted_once(end: str) -> None:
    owner = _cronjob(suspend=True, failedJobsHistoryLimit=3)
    owner["status"] = {"active": [{"kind": "Job", "name": "tick-1", "uid": "tick-1"}]}
    jobs = [_job(owner, "tick-1", end), _job(owner, "tick-0", end)]
    note, noted = decide(owner, jobs, now=NOW).actions
    assert isinstance(note, Note)
    assert (note.reason, note.type) == ("SawCompletedJob", "Normal")
    assert note.message == f"Saw completed job: tick-1, condition: {end}"
    assert isinstance(noted, Update)
    assert decide({**owner, "status": noted.object["status"]}, jobs, now=NOW).actions == ()


def test_running_job_forbids_or_is_replaced() -> None:
    owner = _cronjob(concurrencyPolicy="Forbid")
    forbidden = decide(owner, [_job(owner, "tick-1")], now=NOW).actions
    assert [action.reason for action in forbidden if isinstance(action, Note)] == ["JobAlreadyActive"]
    assert not any(isinstance(action, Create) for action in forbidden)
    owner = _cronjob(concurrencyPolicy="Replace")
    replaced = decide(owner, [_job(owner, "tick-1")], now=NOW).actions
    assert [type(action) for action in replaced] == [Delete, Create, Update]


@pytest.mark.parametrize("spec", [{"suspend": True}, {"schedule": "0 0 1 1 *"}, {"startingDeadlineSeconds": 0}])
def test_nothing_is_begun_that_is_not_due(spec: Object) -> None:
    assert not any(isinstance(action, Create) for action in decide(_cronjob(**spec), [], now=later(30)).actions)


def test_after_a_long_absence_only_the_newest_moment_counts() -> None:
    owner = _cronjob()
    owner["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    note, create, _ = decide(owner, [], now=later(20)).actions
    assert isinstance(note, Note)
    assert note.reason == "TooManyMissedTimes"
    assert isinstance(create, Create)
    assert create.object["metadata"]["name"] == f"tick-{int(NOW.timestamp()) // 60}"


def test_time_zone_decides_when_it_is_noon() -> None:
    owner = _cronjob(schedule="0 14 * * *", timeZone="Europe/Berlin")
    create = decide(owner, [], now=NOW).actions[0]
    assert isinstance(create, Create)


def test_what_is_no_schedule_is_told() -> None:
    (note,) = decide(_cronjob(schedule="often"), [], now=NOW).actions
    assert isinstance(note, Note)
    assert note.reason == "UnparseableSchedule"


def test_only_the_newest_finished_jobs_are_kept() -> None:
    owner = _cronjob(suspend=True)
    good = [_job(owner, f"good-{n}", "Complete", startTime=f"2026-05-01T1{n}:00:00Z") for n in range(5)]
    bad = [_job(owner, f"bad-{n}", "Failed", startTime=f"2026-05-01T1{n}:00:00Z") for n in range(2)]
    gone = [action.name for action in decide(owner, [*good, *bad], now=NOW).actions if isinstance(action, Delete)]
    assert gone == ["good-0", "good-1", "bad-0"]
