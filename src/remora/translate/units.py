"""Runs units, and after a change only those that read what changed.

A unit whose new outcome equals the old one keeps the old object, and whoever read it does not run. A unit that nobody reads
or needs any more, and that is no root, is dropped.
"""

from collections.abc import Iterable
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


class Units:
    """The units of a translation with their outcomes. After `update` the outcomes fit the snapshot given."""

    def __init__(self, settings: RoutingSettings, *, layers: int) -> None:
        self._settings = settings
        self._snapshot = Snapshot()
        self._roots: set[AnyUnit] = set()
        self._outcomes: dict[AnyUnit, Any] = {}
        # Sets of keys, kept as dicts: the garbage collector walks over sets but not over dicts of values like ours.
        self._reads: dict[AnyUnit, dict[ReadKey, None]] = {}
        self._needs: dict[AnyUnit, dict[AnyUnit, None]] = {}
        self._readers: dict[ReadKey, dict[AnyUnit, None]] = {}
        self._needers: dict[AnyUnit, dict[AnyUnit, None]] = {}
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
        return self._changed

    def _make_readers_due(self, key: ReadKey) -> None:
        for unit in self._readers.get(key, ()):
            self._due[unit.layer].add(unit)

    def _outcome_of(self, unit: AnyUnit) -> Any:
        if unit not in self._outcomes:
            self._run(unit)
        return self._outcomes[unit]

    def _run(self, unit: AnyUnit) -> None:
        view = View(self._snapshot, self._settings, outcome_of=self._outcome_of)
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
        old_reads = self._reads.get(unit, {})
        for key in view.reads.keys() - old_reads.keys():
            self._readers.setdefault(key, {})[unit] = None
        for key in old_reads.keys() - view.reads.keys():
            self._forget(self._readers, key, unit=unit)
        old_needs = self._needs.get(unit, {})
        for needed in view.needs.keys() - old_needs.keys():
            self._needers.setdefault(needed, {})[unit] = None
        for needed in old_needs.keys() - view.needs.keys():
            self._forget(self._needers, needed, unit=unit)
        self._reads[unit] = view.reads
        self._needs[unit] = view.needs

    def _forget(self, holders: dict[Any, dict[AnyUnit, None]], key: ReadKey, *, unit: AnyUnit) -> None:
        del holders[key][unit]
        if not holders[key]:
            del holders[key]
        if isinstance(key, Unit):
            self._released.add(key)

    def _drop_released(self) -> None:
        while self._released:
            unit = self._released.pop()
            if unit in self._outcomes and not (unit in self._roots or unit in self._readers or unit in self._needers):
                del self._outcomes[unit]
                for key in self._reads.pop(unit):
                    self._forget(self._readers, key, unit=unit)
                for needed in self._needs.pop(unit):
                    self._forget(self._needers, needed, unit=unit)
                self._changed[unit] = GONE
