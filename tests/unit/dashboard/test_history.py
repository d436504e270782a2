from itertools import pairwise

import pytest

from remora.dashboard.history import History, extended, mean_seconds, pod_series, rate
from remora.observe.traffic_report import TrafficReport
from tests.support.traffic import START, later, pod, report


def _after(*reports: TrafficReport) -> History:
    history = History()
    for one in reports:
        history = extended(history, one)
    return history


def test_samples_are_two_seconds_apart_and_a_quarter_of_an_hour_is_kept() -> None:
    first = report()
    history = _after(*(later(first, seconds) for seconds in range(1000)))
    times = [one.at - START for one in history.samples]
    assert times[-1] >= 998
    assert times[0] >= 998 - 900
    assert {b - a for a, b in pairwise(times)} == {2.0}


def test_rates_are_made_with_a_report_of_some_seconds_ago() -> None:
    first = report()
    history = _after(*(later(first, seconds) for seconds in range(20)))
    assert history.before is not None
    assert history.recent[-1].at - history.before.at == 6


def test_a_counter_that_began_anew_makes_no_negative_rate() -> None:
    assert rate(10, 4, 2.0) == 3.0
    assert rate(4, 10, 2.0) == 2.0
    assert rate(10, None, 2.0) == 0.0


def test_names_of_pods_are_kept_once_for_all_samples() -> None:
    first = report(pod("web-a-1"), pod("web-a-2"))
    history = _after(*(later(first, 2.0 * number) for number in range(5)))
    assert len({id(one.pods) for one in history.samples}) == 1


def test_a_pod_has_a_rate_for_each_step_that_it_was_there() -> None:
    history = _after(*(report(pod(requests=8 * number), at=START + 4.0 * number) for number in range(4)))
    (series,) = pod_series(history.samples, [("shop", "web", "80", "web-abc-1")], 4.0).values()
    assert series == [2.0, 2.0, 2.0]


def test_the_mean_time_counts_each_answer_once() -> None:
    first = report(pod("web-a-1", requests=0), pod("web-a-2", requests=0))
    second = report(pod("web-a-1", requests=30, response_ms=10), pod("web-a-2", requests=10, response_ms=50), at=START + 2)
    assert mean_seconds(_after(first, second).samples, None) == pytest.approx(0.02)
    assert mean_seconds(_after(first, second).samples, frozenset({"other"})) is None


def test_nothing_is_drawn_of_a_time_in_which_nobody_looked() -> None:
    history = _after(
        report(pod(requests=0)), report(pod(requests=1000), at=START + 300), report(pod(requests=1004), at=START + 304)
    )
    (series,) = pod_series(history.samples, [("shop", "web", "80", "web-abc-1")], 4.0).values()
    assert series == [1.0]
