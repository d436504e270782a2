"""On whose behalf the registry is asked, for what must know: who handed on rights, and whom a webhook is told of.

Requests set it; the cluster's own controllers and its kubelet do not, and count as `SYSTEM`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from remora.cluster.api.resources import Resource
from remora.cluster.api.tokens import Identity


class Caller(NamedTuple):
    """`row` is the resource as it was asked for; `warnings` are added to while the request is answered."""

    identity: Identity
    row: Resource | None
    subresource: str
    warnings: list[str]


SYSTEM = Identity("system:kube-controller-manager", ("system:authenticated",))

_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller | None:
    """None for the cluster itself."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """For the task that answers one request, and what it starts."""
    _caller.set(caller)


_is_reviewed: ContextVar[bool] = ContextVar("is_reviewed", default=True)


def is_reviewed() -> bool:
    """Whether webhooks hear of what is written."""
    return _is_reviewed.get()


@contextmanager
def unreviewed() -> Iterator[None]:
    """For what a cluster cannot begin without: a webhook that runs in it cannot be asked before it has begun."""
    token = _is_reviewed.set(False)
    try:
        yield
    finally:
        _is_reviewed.reset(token)
