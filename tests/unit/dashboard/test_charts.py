import pytest

from remora.dashboard.charts import Chart, axis, charts
from remora.dashboard.history import History, extended
from remora.dashboard.timeline import problem_views, time_line
from remora.observe.traffic_report import BrokenTraffic, TrafficReport
from tests.support.traffic import START, change, durations, pod, problem, report, route


def _history(*reports: TrafficReport) -> History:
    history = History()
    for one in reports:
        history = extended(history, one)
    return history


def _charts(*reports: TrafficReport, namespaces: frozenset[str] | None = None, pods: str = "") -> dict[str, Chart]:
    return {one.id: one for one in charts(_history(*reports), namespaces, pods=pods)}


def _lines(chart: Chart) -> dict[str, str]:
    return {line.name: line.last for line in chart.lines}


def test_requests_are_drawn_by_status() -> None:
    drawn = _charts(*(report(route(requests={"200": 40 * n, "503": 4 * n}), at=START + 4 * n) for n in range(4)))
    assert _lines(drawn["codes"]) == {"200": "10", "503": "1"}
    assert drawn["codes"].rows[0] == ("now", "10", "1")


def test_percentiles_come_from_differences_of_histograms() -> None:
    drawn = _charts(*(report(route(durations=durations(10 * n, 90 * n, 0, 0)), at=START + 4 * n) for n in range(4)))
    assert _lines(drawn["latency"]) == {"half within": "50 ms", "95% within": "95 ms", "99% within": "99 ms"}


def test_without_histograms_the_mean_is_drawn_and_said_to_be_one() -> None:
    drawn = _charts(*(report(pod(requests=10 * n, response_ms=20), at=START + 4 * n) for n in range(4)))
    assert _lines(drawn["latency"]) == {"mean": "20 ms"}
    assert "mean" in drawn["latency"].note


def test_of_many_pods_the_busiest_have_a_line_and_the_others_one_together() -> None:
    pods = [pod(f"web-{number}", sessions=number) for number in range(20)]
    drawn = _charts(report(*pods), report(*pods, at=START + 4))["sessions"]
    assert len(drawn.lines) == 8
    assert drawn.lines[-1].name == "13 others together"
    assert drawn.lines[-1].last == str(sum(range(13)))
    assert len({line.look for line in drawn.lines}) == 8


def test_only_pods_that_are_asked_for_have_a_line() -> None:
    pods = [pod("web-1", sessions=1), pod("api-1", service="api", sessions=2)]
    assert _lines(_charts(report(*pods), report(*pods, at=START + 4), pods="shop/api")["sessions"]) == {"api-1": "2"}


def test_broken_sessions_add_up_from_the_beginning_of_the_chart() -> None:
    drawn = _charts(*(report(BrokenTraffic("shop", "web", "pod gone", 5 + n), at=START + 4 * n) for n in range(4)))
    assert _lines(drawn["broken"]) == {"pod gone": "3"}
    assert not _charts(report(), report(at=START + 4))["broken"].lines


def test_charts_leave_out_what_the_viewer_may_not_see() -> None:
    rows = [(route(requests={"200": 40 * n}), pod(sessions=3, requests=n)) for n in range(4)]
    drawn = _charts(*(report(*row, at=START + 4 * n) for n, row in enumerate(rows)), namespaces=frozenset({"other"}))
    assert not any(chart.lines for chart in drawn.values())


def test_a_line_is_broken_where_nobody_looked() -> None:
    moments = (0, 4, 8, 300, 304, 308)
    drawn = _charts(*(report(route(requests={"200": n}), at=START + n) for n in moments))
    assert drawn["codes"].lines[0].path.count("M") == 2


def test_the_latest_change_is_first_and_reloads_are_counted() -> None:
    changes = [change(START - 60), change(START - 5, "reload", reasons=("a new port",), commands=0), change(START - 2000)]
    line = time_line(_history(report(*changes)), None, ())
    assert [one.kind for one in line.changes] == ["runtime update", "reload", "runtime update"]
    assert [mark.kind for mark in line.marks] == ["reload", "runtime update"]
    assert line.sentence == "2 changes in the last 15 minutes, 1 by a reload. Times are UTC."


def test_changes_are_filtered_by_what_they_say() -> None:
    line = time_line(_history(report(change(), change(START - 3, "reload", reasons=("a new port",)))), None, ("port",))
    assert [one.reasons for one in line.changes] == ["a new port"]


def test_errors_stand_before_warnings() -> None:
    views = problem_views(_history(report(problem("a"), problem("b", severity="error"))), None, ())
    assert [one.object for one in views] == ["Ingress shop/b", "Ingress shop/a"]


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [(54, (0, 20, 40, 60)), (100, (0, 50, 100)), (3, (0, 1, 2, 3)), (0, (0, 0.5, 1)), (0.02, (0, 0.005, 0.01, 0.015, 0.02))],
)
def test_an_axis_ends_closely_above_what_it_shows(highest: float, ticks: tuple[float, ...]) -> None:
    assert axis(highest) == pytest.approx(ticks)


def test_an_axis_of_whole_things_has_no_halves() -> None:
    assert [axis(highest, whole=True) for highest in (0, 1, 2, 4, 9)] == [
        (0, 1),
        (0, 1),
        (0, 1, 2),
        (0, 1, 2, 3, 4),
        (0, 5, 10),
    ]


def test_codes_of_one_class_share_a_colour_and_differ_in_dashes() -> None:
    drawn = _charts(*(report(route(requests={"200": 40 * n, "204": n, "503": 4 * n}), at=START + 4 * n) for n in range(4)))
    assert [(line.name, line.look, line.dash) for line in drawn["codes"].lines] == [("200", 4, 1), ("204", 4, 2), ("503", 5, 1)]


def test_a_change_of_another_day_says_its_day() -> None:
    line = time_line(_history(report(change(START - 90_000), change(START - 5))), None, ())
    assert [len(one.time) for one in line.changes] == [8, 15]
