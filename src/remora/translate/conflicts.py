"""Who wins where two Ingresses want the same thing; nowhere else is that decided.

The older one does. The API server keeps creation times by the second, so that Ingresses of one `kubectl apply` are often
equally old; then the one whose `namespace/name` is greater counts as older, as in ingress-nginx.
"""

from collections.abc import Iterable
from operator import attrgetter
from typing import Protocol, TypeVar

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity


class Aged(Protocol):
    """Something that has the age of a Kubernetes object."""

    @property
    def created(self) -> str:
        """RFC 3339 in UTC."""

    @property
    def name(self) -> NamespacedName: ...


A = TypeVar("A", bound=Aged)

_created = attrgetter("created")


def by_precedence(contenders: Iterable[A]) -> list[A]:
    """The contenders, those that win first."""
    youngest_name_last = sorted(contenders, key=lambda one: str(one.name), reverse=True)
    youngest_name_last.sort(key=_created)
    return youngest_name_last


def path_taken(loser: ObjectRef, field: str, *, where: str, winner: ObjectRef) -> Problem:
    """What the loser of a contested path is told; `where` is the path with its host."""
    by = "an earlier rule of this Ingress" if winner == loser else f"{winner}, which counts as older"
    return Problem(loser, field, "PathTaken", f"{where} is taken by {by}", "this path is left out", Severity.ERROR)


def path_taken_by_default(loser: ObjectRef, field: str, *, where: str, winner: ObjectRef) -> Problem:
    """What the loser is told where a default backend without rules goes before all rules."""
    message = f"{where} is taken by the default backend of {winner}"
    return Problem(loser, field, "PathTaken", message, "this path is left out", Severity.ERROR)
