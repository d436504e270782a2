"""Runs units, and after a change only those that read what changed.

A unit whose new outcome equals the old one keeps the old object, and whoever read it does not run. A unit that nobody reads
or needs any more, and that is no root, is dropped.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from remora.core.settings import RoutingSettings
from remora.translate.view import ReadKey, Unit, View
from remora.watch.snapshot import Snapshot


class Gone(Enum):
    """Stands for the outcome of a unit that was dropped."""

    GONE = "gone"


GONE: Final = Gone.GONE

AnyUnit = Unit[Any]


class Holders:
    """Who reads or needs what. Most keys have one holder, which then stands for itself: a hundred thousand dicts of one entry
    would be 20 MB."""

    __slots__ = ("_holders",)

    def __init__(self) -> None:
        self._holders: dict[ReadKey, AnyUnit | dict[AnyUnit, None]] = {}

    def __contains__(self, key: ReadKey) -> bool:
        return key in self._holders

    def of(self, key: ReadKey) -> Iterable[AnyUnit]:
        """The holders of a key, in the order in which they came."""
        found = self._holders.get(key)
        if found is None:
            return ()
        return found if isinstance(found, dict) else (found,)

    def add(self, key: ReadKey, unit: AnyUnit) -> None:
        """Takes a holder more."""
        known = self._holders.setdefault(key, unit)
        if isinstance(known, dict):
            known[unit] = None
        elif known is not unit and known != unit:
            self._holders[key] = {known: None, unit: None}

    def discard(self, key: ReadKey, unit: AnyUnit) -> None:
        """Takes a holder out, and with the last one the key."""
        known = self._holders[key]
        if isinstance(known, dict):
            del known[unit]
            if not known:
                del self._holders[key]
        else:
            del self._holders[key]


class Units:
    """The units of a translation with their outcomes. After `update` the outcomes fit the snapshot given."""

    def __init__(self, settings: RoutingSettings, *, layers: int) -> None:
        self._settings = settings
        self._snapshot = Snapshot()
        self._roots: set[AnyUnit] = set()
        self._outcomes: dict[AnyUnit, Any] = {}
        self._reads: dict[AnyUnit, tuple[ReadKey, ...]] = {}
        self._needs: dict[AnyUnit, tuple[AnyUnit, ...]] = {}
        self._readers = Holders()
        self._needers = Holders()
        self._due: list[set[AnyUnit]] = [set() for _ in range(layers)]
        self._released: set[AnyUnit] = set()
        self._changed: dict[AnyUnit, Any] = {}

    def update(
        self, snapshot: Snapshot, touched: Iterable[ReadKey], *, roots: Iterable[AnyUnit], no_roots: Iterable[AnyUnit]
    ) -> dict[AnyUnit, Any]:
        """Brings all units up to the snapshot; the outcomes that are other than before, GONE for dropped units.

        `touched` is what is other in the snapshot than in that of the last call; `roots` are units that are wanted from now on
        for their own sake, `no_roots` those that are no longer.
        """
        self._snapshot = snapshot
        self._changed = {}
        for key in touched:
            self._make_readers_due(key)
        for unit in roots:
            self._roots.add(unit)
            if unit not in self._outcomes:
                self._due[unit.layer].add(unit)
        for unit in no_roots:
            self._roots.discard(unit)
            self._released.add(unit)
        for due in self._due:
            while due:
                self._run(due.pop())
        self._drop_released()
        # In a set that was large once it takes long to find what is left.
        self._due = [set() for _ in self._due]
        self._released = set()
        changed, self._changed = self._changed, {}
        # What is replaced before the next call is not to be kept until then.
        self._snapshot = Snapshot()
        return changed

    def _make_readers_due(self, key: ReadKey) -> None:
        for unit in self._readers.of(key):
            self._due[unit.layer].add(unit)

    def _outcome_of(self, unit: AnyUnit) -> Any:
        if unit not in self._outcomes:
            self._run(unit)
        return self._outcomes[unit]

    def _run(self, unit: AnyUnit) -> None:
        view = View(self._snapshot, self._settings, outcome_of=self._outcome_of, before=self._outcomes.get(unit))
        outcome = unit.run(view)
        self._note(unit, view)
        if unit not in self._outcomes or self._outcomes[unit] != outcome:
            self._outcomes[unit] = self._changed[unit] = outcome
            self._make_readers_due(unit)
        for needed in view.needs:
            if needed not in self._outcomes:
                self._run(needed)

    def _note(self, unit: AnyUnit, view: View) -> None:
        """Replaces what is known about what the unit reads and needs."""
        self._note_keys(self._reads, self._readers, unit, view.reads)
        self._note_keys(self._needs, self._needers, unit, view.needs)

    def _note_keys(
        self, noted: dict[AnyUnit, tuple[Any, ...]], holders: "Holders", unit: AnyUnit, keys: Mapping[Any, None]
    ) -> None:
        before = noted.get(unit, ())
        if not before:
            for key in keys:
                holders.add(key, unit)
        elif before != (after := tuple(keys)):
            for key in keys.keys() - set(before):
                holders.add(key, unit)
            for key in set(before).difference(after):
                self._forget(holders, key, unit=unit)
        if keys:
            noted[unit] = tuple(keys)
        else:
            noted.pop(unit, None)

    def _forget(self, holders: "Holders", key: ReadKey, *, unit: AnyUnit) -> None:
        holders.discard(key, unit)
        if isinstance(key, Unit):
            self._released.add(key)

    def _drop_released(self) -> None:
        while self._released:
            unit = self._released.pop()
            if unit in self._outcomes and not (unit in self._roots or unit in self._readers or unit in self._needers):
                del self._outcomes[unit]
                for key in self._reads.pop(unit, ()):
                    self._forget(self._readers, key, unit=unit)
                for needed in self._needs.pop(unit, ()):
                    self._forget(self._needers, needed, unit=unit)
                self._changed[unit] = GONE
