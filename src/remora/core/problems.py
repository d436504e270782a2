"""All Problems that there are, by what they come from.

A changed copy shares what did not change, and where two differ is seen without looking at the rest: a hundred thousand broken
objects of one namespace cost nothing when something changes in another.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from remora.core.differing import differing
from remora.core.persistent import PersistentMap, keys_differing
from remora.core.problem import Problem

Source = tuple[str, str, str]
"""What Problems come from; they stand in this order."""


class Problems(Sequence[Problem]):
    """A sequence that is never changed; `changed` makes another one from it. It is put in order for whoever looks at all."""

    __slots__ = ("_all", "_by_source")

    _by_source: PersistentMap[Source, tuple[Problem, ...]]
    _all: tuple[Problem, ...] | None

    def __init__(self) -> None:
        self._by_source = PersistentMap()
        self._all = ()

    def changed(self, changes: Mapping[Source, tuple[Problem, ...]]) -> "Problems":
        """A copy in which some sources have other Problems; the same object if none has."""
        known = self._by_source
        news = {source: found or None for source, found in changes.items() if known.get(source, ()) is not found}
        if not any(found or source in known for source, found in news.items()):
            return self
        copy = Problems.__new__(Problems)
        copy._by_source = known.changed(news)
        copy._all = None
        return copy

    def since(self, before: "Problems") -> tuple[list[Problem], list[Problem]]:
        """The Problems that were there `before` and are gone, and those that have come, in their order."""
        gone: list[Problem] = []
        come: list[Problem] = []
        for source in sorted(keys_differing(before._by_source, self._by_source)):
            former, further = differing(before._by_source.get(source, ()), self._by_source.get(source, ()))
            gone += former
            come += further
        return gone, come

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._flat())

    def __len__(self) -> int:
        return len(self._flat())

    def __bool__(self) -> bool:
        return bool(self._by_source)

    @overload
    def __getitem__(self, place: int) -> Problem: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Problem, ...]: ...
    def __getitem__(self, place: int | slice) -> Problem | tuple[Problem, ...]:
        return self._flat()[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problems | tuple) and self._flat() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._flat())

    def _flat(self) -> tuple[Problem, ...]:
        if self._all is None:
            by_source = self._by_source
            self._all = tuple(problem for source in sorted(by_source) for problem in by_source[source])
        return self._all


def problems_of(problems: "Sequence[Problem]") -> Problems:
    """The Problems themselves, or some that come from one source."""
    return problems if isinstance(problems, Problems) else Problems().changed({("", "", ""): tuple(problems)})
