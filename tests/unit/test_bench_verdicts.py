"""What the suite says of its samples: medians, and no ratio beside a peer that did something else than it was asked."""

from xml.etree import ElementTree

import pytest

from bench.charts import bars, figure
from bench.measuring import Answer
from bench.plane_questions import wrong_sessions, wrong_shape
from bench.plane_report import Finding, render
from bench.pods import echoed, frame_end
from bench.sessions_report import Outcome
from bench.sessions_report import render as render_sessions
from bench.verdicts import Refused, Sample, median, ratio, ratios, sample
from bench.visitors import Tally

_OURS, _THEIRS = (Sample(10e-6), Sample(30e-6), Sample(11e-6)), (Sample(20e-6), Sample(20e-6), Sample(22e-6))
_STRANGE = (Sample(1e-6), Sample(1e-6, wrong="the session was not followed"), Sample(1e-6))


def test_ratio_is_the_median_of_the_rounds_and_not_that_of_the_medians() -> None:
    assert ratio(_OURS, _THEIRS) == pytest.approx(0.5)
    assert ratio((Sample(1.0), Sample(9.0)), (Sample(1.0), Sample(1.0))) == pytest.approx(5.0)


@pytest.mark.parametrize(("ours", "theirs"), [(_OURS, _STRANGE), (_STRANGE, _THEIRS)])
def test_one_round_of_something_else_refuses_the_ratio(ours: tuple[Sample, ...], theirs: tuple[Sample, ...]) -> None:
    assert ratio(ours, theirs) == Refused("the session was not followed")


def test_ratio_is_refused_where_a_side_was_not_measured_as_often() -> None:
    assert isinstance(ratio(_OURS, ()), Refused)
    assert ratio(_OURS, _THEIRS[:2]) == Refused("3 rounds beside 2")
    assert ratio(_OURS[:1], (Sample(0.0),)) == Refused("no CPU was seen")


def test_median_takes_each_figure_for_itself() -> None:
    rounds = (Sample(3.0, 1.0, 5.0, 9.0), Sample(1.0, 2.0, 4.0, 8.0), Sample(2.0, 3.0, 6.0, 7.0))
    assert median(rounds) == Sample(2.0, 2.0, 5.0, 8.0)
    assert median(_STRANGE) == Refused("the session was not followed")
    assert median(()) == Refused("not measured")


def test_sample_without_an_answer_is_wrong() -> None:
    assert sample(1.0, ()).wrong == "nothing was answered"
    assert sample(1.0, [n / 1000 for n in range(1000)]) == Sample(1.0, 0.5, 0.99, 0.999)


def test_ratios_leave_ourselves_out() -> None:
    assert list(ratios({"Remora": _OURS, "nginx": _THEIRS, "Envoy": _STRANGE}, "Remora")) == ["nginx", "Envoy"]
    assert ratios({"nginx": _THEIRS}, "Remora") == {}


def test_table_says_refused_and_why_instead_of_a_figure() -> None:
    text = render([Finding("sticky", "sticky request", {"Remora": _OURS, "Envoy": _STRANGE})], [], 0, "Remora")
    assert "refused: sticky request: Envoy: the session was not followed" in text
    (row, *_) = (line for line in text.splitlines() if line.startswith("sticky request"))
    assert row.split()[2:] == ["11.0", "refused"]


def test_picture_has_a_bar_for_each_figure_and_words_for_a_refusal() -> None:
    text = bars("CPU", "us", {"plain <b>": {"Remora": 10.0, "Envoy": None}})
    ElementTree.fromstring(text)
    assert text.count("<rect") == 4  # ground, two of the legend, one bar
    assert "refused" in text
    assert "plain &lt;b&gt;" in text
    assert [figure(value) for value in (0.0, 1.234, 12.34, 1234.5)] == ["0", "1.23", "12.3", "1,234"]


@pytest.mark.parametrize(
    ("followed", "fresh", "cookie", "wrong"),
    [
        ({"a"}, {"a", "b"}, "route=x", []),
        ({"a", "b"}, {"a", "b"}, "route=x", ["the session was not followed"]),
        ({"a"}, {"a"}, "route=x", ["all sessions are on one pod"]),
        ({"a"}, {"a", "b"}, "", ["no cookie was given"]),
    ],
)
def test_session_is_honoured_if_it_alone_stays(followed: set[str], fresh: set[str], cookie: str, wrong: list[str]) -> None:
    assert wrong_sessions(followed, fresh, cookie) == wrong


def test_shape_is_the_path_the_header_and_cors_for_whom_it_is_meant() -> None:
    headers = {"x-frame-options": "DENY", "access-control-allow-origin": "https://page.example"}
    assert wrong_shape(Answer(200, headers, "/a/seen\n"), allowed=True) == []
    assert wrong_shape(Answer(200, headers, "/a/seen\n"), allowed=False) == ["CORS for a stranger"]
    assert len(wrong_shape(Answer(200, {}, "/app/a/seen\n"), allowed=True)) == 3


def test_pod_sends_frames_back_unmasked_and_waits_for_their_end() -> None:
    frame = bytes((0x81, 0x84, 1, 2, 3, 4)) + bytes(one ^ other for one, other in zip(b"ping", (1, 2, 3, 4), strict=True))
    assert [frame_end(frame[:size]) for size in (0, 1, 9)] == [0, 0, 0]
    assert frame_end(frame + b"more") == len(frame)
    assert echoed(frame) == bytes((0x81, 4)) + b"ping"


def test_scenario_that_says_nothing_of_a_peer_gives_it_no_figure() -> None:
    broken = Tally(sessions=4, requests=9, moved={1}, lost={2, 3})
    rows = render_sessions([{"Remora": Outcome("x", "what", broken), "Envoy": Outcome("x", "what", Tally(4), "no such thing")}])
    first, second, *_ = (line.split()[1:] for line in rows.splitlines() if line.startswith("what"))
    assert (first, second) == (["25", "-"], ["50", "-"])
    assert "-: Envoy: what: no such thing" in rows
