"""Changes that wait to be acted on, and which of them come first.

Changes of endpoints overtake others. The others are taken in portions in which namespaces take turns, so that who comes behind
a hundred thousand of another namespace does not wait for all of them.
"""

from collections.abc import Iterable, Mapping

from remora.watch.debounce import is_urgent
from remora.watch.snapshot import Change

MOST_AT_ONCE, FEWEST_AT_ONCE = 500, 50
"""Changes that are no endpoints' and are acted on together: as a rule a quarter of a second's work, if all are new.
With fewer than the fewest most of the time would go to what each portion costs, be it small."""
FEW = 20
"""Changes with which a namespace is no crowd."""
LONGEST = 0.25
"""Seconds that a portion should take at most: others wait for the one that is under way, and for the one that they are in.
Where one took longer the next is smaller, whatever made it so long."""


class Waiting:
    """Changes, each with the time at which it came first."""

    def __init__(self) -> None:
        self._most = MOST_AT_ONCE
        self._last = 0
        self._went_ahead = False
        self._urgent: dict[Change, float] = {}
        self._others: dict[str, dict[Change, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._urgent or self._others)

    def add(self, change: Change, came: float) -> None:
        """One that waits already goes on with its time."""
        waiting = self._urgent if is_urgent(change) else self._others.setdefault(change.name.namespace, {})
        waiting.setdefault(change, came)

    def take_all(self) -> Mapping[Change, float]:
        """Everything; nothing waits then."""
        taken = dict(self._urgent)
        for of_namespace in self._others.values():
            taken |= of_namespace
        self._urgent, self._others = {}, {}
        return taken

    def take(self, *, is_overdue: bool) -> Mapping[Change, float]:
        """The urgent ones; or if there are none, a portion of the others.

        Where others have waited long enough, what is urgent and what namespaces with few changes have goes without the crowd
        every second time, so that neither holds up the other.
        """
        taken, self._urgent = self._urgent, {}
        few = self._with_few()
        self._went_ahead = (bool(taken) and not is_overdue) or (bool(taken or few) and not self._went_ahead)
        if not self._went_ahead:
            turns = self._take_turns(self._others)
        else:
            turns = self._take_turns(few) if is_overdue or not taken else {}
        self._last = 0 if self._went_ahead else len(turns)
        return taken | turns

    def _with_few(self) -> list[str]:
        """The namespaces that have few changes, if another one has many."""
        few = [namespace for namespace, waiting in self._others.items() if len(waiting) <= FEW]
        return few if len(few) < len(self._others) else []

    def note_seconds(self, seconds: float) -> None:
        """Takes how long it took to act on what was taken last."""
        if self._last and seconds > LONGEST:
            self._most = max(FEWEST_AT_ONCE, min(self._most, int(self._last * LONGEST / seconds)))
        elif self._last:
            self._most = min(MOST_AT_ONCE, 2 * self._most)
        self._last = 0

    def _take_turns(self, among: Iterable[str]) -> dict[Change, float]:
        turns = {namespace: iter(self._others[namespace]) for namespace in among}
        chosen: list[Change] = []
        while turns and len(chosen) < self._most:
            for namespace in list(turns)[: self._most - len(chosen)]:
                change = next(turns[namespace], None)
                if change is None:
                    del turns[namespace]
                else:
                    chosen.append(change)
        taken: dict[Change, float] = {}
        for change in chosen:
            namespace = change.name.namespace
            waiting = self._others.pop(namespace)
            taken[change] = waiting.pop(change)
            if waiting:
                # Behind those whose turn did not come.
                self._others[namespace] = waiting
        return taken
