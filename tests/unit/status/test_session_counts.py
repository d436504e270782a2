"""What is written to pods about their sessions."""

from typing import Any, cast

import pytest

from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.resources import Resource
from remora.status.session_counts import DELETION_COST, SESSIONS, CountPatch, SessionCounts, decide_counts

A, B = NamespacedName("shop", "a"), NamespacedName("shop", "b")


def test_only_what_changed_is_written() -> None:
    assert decide_counts({A: 2, B: 0}, {}) == (CountPatch(A, 2), CountPatch(B, 0))
    assert decide_counts({A: 2, B: 1}, {A: 2, B: 0}) == (CountPatch(B, 1),)
    assert decide_counts({A: 2}, {A: 2}) == ()


def test_a_pod_that_is_not_counted_any_more_loses_the_annotations() -> None:
    assert decide_counts({}, {A: 2}) == (CountPatch(A, None),)
    assert CountPatch(A, None).body() == {"metadata": {"annotations": {SESSIONS: None, DELETION_COST: None}}}


def test_the_number_is_also_what_it_costs_to_end_the_pod() -> None:
    assert CountPatch(A, 12).body() == {"metadata": {"annotations": {SESSIONS: "12", DELETION_COST: "12"}}}


class Server:
    """An API server that takes patches, or does not."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int | str | None]] = []
        self.fails: Exception | None = None

    async def patch(self, resource: Resource, name: NamespacedName, body: Any) -> None:
        if self.fails:
            raise self.fails
        self.taken.append((name.name, body["metadata"]["annotations"][SESSIONS]))


async def rounds(server: Server, *counts: dict[NamespacedName, int], fails: dict[int, Exception] | None = None) -> None:
    """One round for each of `counts`; in some of them the server fails."""
    remaining = list(enumerate(counts))

    async def read() -> dict[NamespacedName, int]:
        if not remaining:
            raise EOFError
        number, wanted = remaining.pop(0)
        server.fails = (fails or {}).get(number)
        return wanted

    with pytest.raises(EOFError):
        await SessionCounts(cast(ApiClient, server), read, interval=0).run()


async def test_a_round_without_a_change_writes_nothing() -> None:
    server = Server()
    await rounds(server, {A: 1, B: 2}, {A: 1, B: 2}, {A: 3, B: 2})
    assert server.taken == [("a", "1"), ("b", "2"), ("a", "3")]


@pytest.mark.parametrize(
    "error",
    [
        ApiServerRefused(status=404, reason="NotFound", message="m"),
        ApiServerRefused(status=409, reason="Conflict", message="m"),
        ApiServerRefused(status=403, reason="Forbidden", message="m"),
        ApiServerUnreachable("m"),
    ],
)
async def test_what_was_not_taken_is_written_in_the_next_round(error: Exception) -> None:
    server = Server()
    await rounds(server, {A: 1}, {A: 1}, {A: 1}, fails={0: error})
    assert server.taken == [("a", "1")]


async def test_a_pod_that_went_is_forgotten() -> None:
    server = Server()
    gone = ApiServerRefused(status=404, reason="NotFound", message="m")
    await rounds(server, {A: 1}, {}, {}, fails={1: gone})
    assert server.taken == [("a", "1")]
