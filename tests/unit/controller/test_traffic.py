"""What `GET /traffic` remembers of changes and of pods that are no more."""

import msgspec
import pytest

from remora.controller.loop import Applied
from remora.controller.sessions import Sessions
from remora.controller.traffic import Traffic, change_report
from remora.core.names import NamespacedName
from remora.core.problems import Problems
from remora.kube.objects import Service
from remora.model import Endpoint, Model
from remora.observe.request_durations import RequestDurations
from remora.observe.traffic_report import MOST_CHANGES, TrafficReport
from remora.plan.outcome import BrokenCount, LiveSession, Outcome, OutcomeKind, ProxyReading, RequestCount
from remora.watch.snapshot import Change
from tests.support.models import backend, endpoint, host, model, route

A, B = endpoint("a", 8080), endpoint("b", 8080)


class Source:
    """An executor that counts how often it is asked."""

    broken_sessions: tuple[BrokenCount, ...] = ()

    def __init__(self) -> None:
        self.reads = 0

    async def read_traffic(self) -> ProxyReading:
        self.reads += 1
        return ProxyReading("2.8.25", 1, 1.0, 1, 0, 0, ())

    async def read_counters(self) -> tuple[RequestCount, ...]:
        return ()

    async def read_sessions(self) -> tuple[LiveSession, ...]:
        return ()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def traffic(source: Source) -> Traffic:
    return Traffic(source, Sessions(source), RequestDurations(), replica="here")


def wanted(*endpoints: Endpoint) -> Model:
    return model([host(route())], [backend(*endpoints)])


def applied(kind: OutcomeKind = OutcomeKind.RUNTIME, *endpoints: Endpoint, **outcome: object) -> Applied:
    return Applied(wanted(*endpoints), Problems(), (), msgspec.structs.replace(Outcome(1, kind), **outcome), 0.0123)


async def read(traffic: Traffic, monkeypatch: pytest.MonkeyPatch, *, age: float = -1.0) -> TrafficReport:
    monkeypatch.setattr("remora.controller.traffic.REPORT_AGE", age)
    monkeypatch.setattr("remora.controller.traffic.SHARE", -1.0)
    return msgspec.json.decode(await traffic.answer({}), type=TrafficReport)


def test_of_many_objects_that_changed_five_are_named() -> None:
    changes = tuple(Change(Service, NamespacedName("shop", f"s{number}")) for number in range(7))
    one = change_report(msgspec.structs.replace(applied(), changes=changes), "runtime update", at=1.0)
    assert one.objects == tuple(f"Service shop/s{number}" for number in range(5))
    assert (one.more, one.milliseconds) == (2, 12.3)


async def test_changes_are_told_with_their_reasons_and_the_last_200_kept(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MOST_CHANGES):
        traffic.tell(applied(commands=3))
    traffic.tell(applied(OutcomeKind.RELOAD, reasons=("the program changed",), refused=("x",)))
    traffic.tell(applied(OutcomeKind.FAILED, error="no"))
    traffic.tell(applied(OutcomeKind.UNCHANGED))
    report = await read(traffic, monkeypatch)
    assert len(report.changes) == MOST_CHANGES
    *_, before, reload, refused = report.changes
    assert (before.kind, before.commands, before.replica) == ("runtime update", 3, "here")
    assert (reload.kind, reload.reasons) == ("reload", ("the program changed", "backend x is not taken"))
    assert (refused.kind, refused.reasons) == ("refused", ("no",))
    assert report.reloads == 1


async def test_a_pod_that_is_no_more_is_told_of_for_a_while(traffic: Traffic, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic.tell(applied(OutcomeKind.RUNTIME, A, B))
    assert [(one.pod, one.state) for one in (await read(traffic, monkeypatch)).pods] == [("a", "ready"), ("b", "ready")]
    traffic.tell(applied(OutcomeKind.RUNTIME, B))
    for _ in range(2):
        assert [(one.pod, one.state) for one in (await read(traffic, monkeypatch)).pods] == [("b", "ready"), ("a", "gone")]
    traffic.tell(applied(OutcomeKind.RUNTIME, A, B))
    assert [(one.pod, one.state) for one in (await read(traffic, monkeypatch)).pods] == [("a", "ready"), ("b", "ready")]
    traffic.tell(applied(OutcomeKind.RUNTIME, B))
    await read(traffic, monkeypatch)
    monkeypatch.setattr("remora.controller.traffic.GONE_FOR", 0.0)
    for _ in range(2):
        assert [one.pod for one in (await read(traffic, monkeypatch)).pods] == ["b"]


async def test_a_report_is_kept_for_a_while_whatever_is_asked(
    traffic: Traffic, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.tell(applied(OutcomeKind.RUNTIME, A))
    await read(traffic, monkeypatch, age=60.0)
    assert msgspec.json.decode(await traffic.answer({"host": "other"}))["routes"] == []
    assert msgspec.json.decode(await traffic.answer({"digests": "1"}))["routes"] != []
    assert source.reads == 1


async def test_nothing_is_read_until_somebody_asks(traffic: Traffic, source: Source) -> None:
    traffic.tell(applied(OutcomeKind.RUNTIME, A))
    assert source.reads == 0
