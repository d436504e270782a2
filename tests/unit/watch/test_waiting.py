import pytest

from remora.kube.objects import EndpointSlice, Ingress
from remora.watch.snapshot import Change
from remora.watch.waiting import Waiting
from tests.support.kubernetes import named

ENDPOINTS = Change(EndpointSlice, named("shop/a"))
QUIET = Change(Ingress, named("quiet/a"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 4)


def crowd(count: int) -> Waiting:
    waiting = Waiting()
    for number in range(count):
        waiting.add(Change(Ingress, named(f"noisy/{number}")), number)
    return waiting


def test_endpoints_overtake_others_until_these_are_overdue() -> None:
    waiting = crowd(10)
    waiting.add(ENDPOINTS, 99)
    assert list(waiting.take(is_overdue=False)) == [ENDPOINTS]
    waiting.add(ENDPOINTS, 100)
    taken = waiting.take(is_overdue=True)
    assert taken == {ENDPOINTS: 100} | {Change(Ingress, named(f"noisy/{number}")): number for number in range(4)}


def test_endpoints_go_alone_every_second_time_while_others_are_overdue() -> None:
    waiting, sizes = crowd(8), []
    for number in range(4):
        waiting.add(ENDPOINTS, number)
        sizes.append(len(waiting.take(is_overdue=True)))
    assert sizes == [1, 5, 1, 5]


def test_who_has_little_goes_without_the_crowd_every_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 100)
    waiting, taken = crowd(300), []
    for _ in range(4):
        waiting.add(QUIET, 99)
        taken.append(waiting.take(is_overdue=True))
    assert [(QUIET in one, len(one)) for one in taken] == [(True, 1), (True, 100), (True, 1), (True, 100)]


def test_namespaces_take_turns() -> None:
    waiting = crowd(10)
    waiting.add(QUIET, 99)
    assert QUIET in waiting.take(is_overdue=False)


def test_of_more_namespaces_than_a_portion_each_has_its_turn() -> None:
    waiting = Waiting()
    for number in range(12):
        waiting.add(Change(Ingress, named(f"n{number % 6}/{number}")), number)
    turns = [waiting.take(is_overdue=False) for _ in range(3)]
    assert {change.name.namespace for change in (*turns[0], *turns[1])} == {f"n{number}" for number in range(6)}
    assert sum(map(len, turns)) == 12
    assert not waiting


def test_what_comes_again_goes_on_with_its_time() -> None:
    waiting = crowd(1)
    waiting.add(Change(Ingress, named("noisy/0")), 7)
    assert list(waiting.take_all().values()) == [0]
    assert not waiting


def test_a_portion_that_took_long_is_followed_by_smaller_ones_and_they_grow_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 400)
    waiting, sizes = crowd(1550), []
    for seconds in (1.0, 1.0, 9.0, 0.1, 0.1, 0.1, 0.1, 0.1):
        sizes.append(len(waiting.take(is_overdue=False)))
        waiting.note_seconds(seconds)
    assert sizes == [400, 100, 50, 50, 100, 200, 400, 250]


def test_endpoints_alone_say_nothing_about_the_size_of_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.watch.waiting.MOST_AT_ONCE", 400)
    waiting = crowd(1000)
    waiting.add(ENDPOINTS, 0)
    waiting.take(is_overdue=False)
    waiting.note_seconds(9.0)
    assert len(waiting.take(is_overdue=False)) == 400
