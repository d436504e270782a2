from typing import Any, ClassVar

from remora.core.settings import RoutingSettings
from remora.kube.objects import Service
from remora.translate.units import GONE, Units
from remora.translate.view import Unit, View
from remora.watch.snapshot import Change, Snapshot
from tests.support.kubernetes import named, service


class IsThere(Unit[bool], frozen=True):
    name: str

    def run(self, view: View) -> bool:
        return view.find(Service, named(self.name)) is not None


class Which(Unit[str], frozen=True):
    """Reads the second only without the first, and needs it always."""

    layer: ClassVar[int] = 1
    names: tuple[str, str]

    def run(self, view: View) -> str:
        first, second = self.names
        view.need(IsThere("shop/needed"))
        if view.ask(IsThere(first)):
            return first
        return second if view.ask(IsThere(second)) else ""


def snapshot_with(*names: str) -> Snapshot:
    return Snapshot().changed(Service, {named(name): service(name) for name in names})


def updated(units: Units, snapshot: Snapshot, *touched: str, **roots: Any) -> dict[Unit[Any], Any]:
    keys = [Change(Service, named(name)) for name in touched]
    return units.update(snapshot, keys, **{"roots": (), "no_roots": (), **roots})


def test_what_is_no_longer_read_is_dropped_and_what_is_needed_stays() -> None:
    units = Units(RoutingSettings(session_key=b"k"), layers=2)
    root = Which(("shop/a", "shop/b"))
    first = updated(units, snapshot_with("shop/b"), roots=(root,))
    assert first == {IsThere("shop/a"): False, IsThere("shop/b"): True, IsThere("shop/needed"): False, root: "shop/b"}
    second = updated(units, snapshot_with("shop/a", "shop/b"), "shop/a")
    assert second == {IsThere("shop/a"): True, root: "shop/a", IsThere("shop/b"): GONE}
    assert updated(units, snapshot_with("shop/a"), "shop/b") == {}


def test_what_is_only_needed_changes_without_the_one_who_needs_it() -> None:
    units = Units(RoutingSettings(session_key=b"k"), layers=2)
    updated(units, snapshot_with("shop/a"), roots=(Which(("shop/a", "shop/b")),))
    assert updated(units, snapshot_with("shop/a", "shop/needed"), "shop/needed") == {IsThere("shop/needed"): True}


def test_a_root_goes_with_all_that_it_held() -> None:
    units = Units(RoutingSettings(session_key=b"k"), layers=2)
    roots = (Which(("shop/a", "shop/b")), Which(("shop/a", "shop/c")))
    updated(units, snapshot_with("shop/a"), roots=roots)
    assert updated(units, snapshot_with("shop/a"), no_roots=roots[:1]) == {roots[0]: GONE}
    gone = updated(units, snapshot_with("shop/a"), no_roots=roots[1:])
    assert gone == {roots[1]: GONE, IsThere("shop/a"): GONE, IsThere("shop/needed"): GONE}


def test_an_equal_outcome_stops_the_change() -> None:
    units = Units(RoutingSettings(session_key=b"k"), layers=2)
    updated(units, snapshot_with("shop/a"), roots=(Which(("shop/a", "shop/b")),))
    assert updated(units, snapshot_with("shop/a"), "shop/a") == {}
