import pytest

from remora.core.settings import RoutingSettings
from remora.kube.objects import Ingress
from remora.translate import Translator
from remora.watch.store import EventType, Store
from tests.support.kubernetes import ingress, ingress_class, rule


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.translate.crowds.CROWD", 2)


def claimed(*names: str) -> Store:
    store = Store()
    store.apply(EventType.ADDED, ingress_class("nginx"))
    for name in names:
        store.apply(EventType.ADDED, ingress(f"shop/{name}", rule("a.example.com", "/"), created="2026-01-02T00:00:00Z"))
    return store


def test_each_of_a_crowd_is_told_who_won() -> None:
    found = Translator(RoutingSettings(session_key=b"k")).translate(claimed("a", "b", "c", "d").snapshot, None)
    taken = [problem for problem in found.problems if problem.code == "PathTaken"]
    assert [problem.object.name.name for problem in taken] == ["a", "b", "c"]
    assert all("shop/d" in problem.message for problem in taken)


def test_a_claimant_more_leaves_what_the_others_are_told_as_it_was_and_another_winner_does_not() -> None:
    store = claimed("a", "b", "c", "d")
    translator = Translator(RoutingSettings(session_key=b"k"))
    before = translator.translate(store.snapshot, None).problems
    store.take_changes()
    store.apply(EventType.ADDED, ingress("shop/aa", rule("a.example.com", "/"), created="2026-01-02T00:00:00Z"))
    after = translator.translate(store.snapshot, store.take_changes()).problems
    gone, come = after.since(before)
    assert gone == []
    assert {problem.object.name.name for problem in come} == {"aa"}
    store.apply(EventType.ADDED, ingress("shop/old", rule("a.example.com", "/"), created="2026-01-01T00:00:00Z"))
    gone, come = translator.translate(store.snapshot, store.take_changes()).problems.since(after)
    told = {problem.object.name.name for problem in come if problem.code == "PathTaken"}
    assert told == {"a", "aa", "b", "c", "d"}


def test_the_first_of_a_host_makes_it_also_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remora.translate.crowds.CROWD", 0)
    store = Store()
    store.apply(EventType.ADDED, ingress_class("nginx"))
    store.apply(EventType.ADDED, ingress("shop/a", rule("a.example.com")))
    assert store.snapshot.has(Ingress)
    found = Translator(RoutingSettings(session_key=b"k")).translate(store.snapshot, None)
    assert [host.host for host in found.model.virtual_hosts] == ["a.example.com"]
