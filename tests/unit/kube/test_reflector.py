import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.kube.objects import Ingress, IngressClass, Pod, Secret
from remora.kube.reflector import (
    LONGEST_WAIT,
    Ended,
    Failed,
    Gone,
    Happening,
    Listed,
    Position,
    Reflector,
    Relisted,
    Seen,
    Told,
    moved,
    wait_of,
)
from remora.kube.resources import Scope
from remora.kube.wire import Decoder, Unreadable
from tests.support.api import FakeApi, running_api


async def _anonymous() -> str:
    return ""


class Follower:
    """A reflector that runs, and what it told."""

    def __init__(self, client: ApiClient, scope: Scope) -> None:
        self.told: list[Relisted | Told] = []
        self.reflector = Reflector(client, scope, sink=self._take, jitter=lambda: 0.0)

    async def _take(self, told: Relisted | Told) -> None:
        self.told.append(told)

    @property
    def words(self) -> list[str]:
        return [
            f"list {len(one.objects)}"
            if isinstance(one, Relisted)
            else f"{one.type} {one.object.name if isinstance(one.object, Unreadable) else one.object.key}"
            for one in self.told
        ]

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not check():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def following(api: FakeApi, scope: Scope) -> AsyncIterator[Follower]:
    async with ApiClient.open(Connection(api.url, _anonymous)) as client:
        follower = Follower(client, scope)
        task = asyncio.create_task(follower.reflector.run())
        try:
            yield follower
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as api:
        yield api


def _ingress(name: str, namespace: str = "shop") -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {}}


@pytest.mark.parametrize(
    ("before", "happening", "after"),
    [
        (Position(), Listed("5"), Position("5")),
        (Position("", 3), Listed("5"), Position("5")),
        (Position("5"), Seen("6"), Position("6")),
        (Position("5", 2), Seen("6"), Position("6")),
        (Position("5"), Seen(""), Position("5")),
        (Position("5"), Ended(), Position("5")),
        (Position("5"), Gone(), Position("", 1)),
        (Position("5"), Failed(), Position("5", 1)),
        (Position("", 1), Failed(), Position("", 2)),
    ],
)
def test_the_transition_table_holds(before: Position, happening: Happening, after: Position) -> None:
    assert moved(before, happening) == after


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_to_a_limit_and_never_vanish(failures: int, jitter: float) -> None:
    wait = wait_of(Position(failures=failures), jitter)
    assert 0 < wait <= LONGEST_WAIT
    assert wait_of(Position(failures=failures + 1), jitter) >= wait
    assert wait_of(Position(), jitter) == 0


async def test_it_lists_in_pages_and_then_is_told_of_changes(api: FakeApi) -> None:
    api.page = 2
    for name in "abc":
        api.put("ingresses", _ingress(name))
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        api.put("ingresses", _ingress("d"))
        api.put("ingresses", _ingress("d"))
        api.remove("ingresses", "shop", "a")
        await follower.until(lambda: len(follower.told) == 4)
        assert follower.words == ["list 3", "ADDED shop/d", "MODIFIED shop/d", "DELETED shop/a"]
        assert api.lists("ingresses") == 2


async def test_one_namespace_is_followed_alone(api: FakeApi) -> None:
    api.put("ingresses", _ingress("a"))
    api.put("ingresses", _ingress("b", "other"))
    async with following(api, Scope(Ingress, "shop")) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        assert follower.words == ["list 1"]


async def test_a_forgotten_version_is_answered_by_a_new_list(api: FakeApi) -> None:
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        api.forget()
        api.put("ingresses", _ingress("a"))
        await follower.until(lambda: "list 1" in follower.words)


async def test_a_broken_connection_is_taken_up_where_it_stood(api: FakeApi) -> None:
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        port = int(api.url.rpartition(":")[2])
        await api.stop()
        await follower.until(lambda: not follower.reflector.is_current)
        api.put("ingresses", _ingress("a"))
        await api.start(port)
        await follower.until(lambda: follower.words == ["list 0", "ADDED shop/a"])
        assert api.lists("ingresses") == 1


async def test_an_event_of_an_unknown_type_is_answered_by_a_new_list(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: follower.words == ["list 0"])
        api.trouble.before_lines = (b'{"type":"RENAMED","object":{"metadata":{"name":"a"}}}\n',)
        api.put("ingresses", _ingress("a"))
        await follower.until(lambda: "list 1" in follower.words)
    assert follower.words == ["list 0", "list 1"]
    assert "unknown type 'RENAMED'" in caplog.text


async def test_an_unreadable_object_is_told_and_the_watch_goes_on(api: FakeApi) -> None:
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        api.put("ingresses", {**_ingress("bad"), "spec": "no"})
        api.put("ingresses", _ingress("good"))
        await follower.until(lambda: len(follower.told) == 3)
        assert follower.words[1:] == ["ADDED shop/bad", "ADDED shop/good"]


async def test_without_the_right_to_read_classes_there_are_none(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api.forbidden.add("ingressclasses")
    async with following(api, Scope(IngressClass)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        assert follower.words == ["list 0"]
        assert "only the annotation" in caplog.text


def _pod(name: str, **annotations: str) -> dict[str, object]:
    written = {f"remora.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"metadata": {"name": name, "namespace": "shop", "annotations": written}}


async def test_of_pods_only_those_that_are_marked_are_told(api: FakeApi) -> None:
    api.put("pods", _pod("a", session_drain="true"))
    api.put("pods", _pod("b"))
    async with following(api, Scope(Pod)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        api.put("pods", _pod("b", sessions="3"))
        api.put("pods", _pod("c"))
        api.remove("pods", "shop", "c")
        api.put("pods", _pod("b", session_drain="true"))
        api.put("pods", _pod("a"))
        api.put("pods", _pod("a", other="x"))
        api.remove("pods", "shop", "b")
        await follower.until(lambda: "DELETED shop/b" in follower.words)
        assert follower.words == ["list 1", "MODIFIED shop/b", "DELETED shop/a", "DELETED shop/b"]


async def test_of_pods_nothing_but_metadata_is_asked_for(api: FakeApi) -> None:
    async with following(api, Scope(Pod)) as follower:
        await follower.until(lambda: len(api.accepted["pods"]) == 2)
        forms = [accept.partition(";g=")[0] for accept in api.accepted["pods"]]
        assert forms == [f"application/json;as={form}" for form in ("PartialObjectMetadataList", "PartialObjectMetadata")]


async def test_without_the_right_to_read_pods_none_is_marked(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    api.forbidden.add("pods")
    async with following(api, Scope(Pod)) as follower:
        await follower.until(lambda: follower.reflector.has_synced)
        assert "session-drain" in caplog.text


async def test_without_the_right_to_read_ingresses_it_never_syncs(api: FakeApi) -> None:
    api.forbidden.add("ingresses")
    async with following(api, Scope(Ingress)) as follower:
        await follower.until(lambda: not follower.reflector.is_current)
        assert not follower.reflector.has_synced


async def test_refusals_and_silence_are_different_errors(api: FakeApi) -> None:
    async with ApiClient.open(Connection(api.url, _anonymous)) as client:
        with pytest.raises(ApiServerRefused, match="404 NotFound"):
            await client.fetch(Secret, NamespacedName("shop", "none"))
        await api.stop()
        with pytest.raises(ApiServerUnreachable, match=r"127\.0\.0\.1"):
            await client.fetch(Secret, NamespacedName("shop", "none"))
        with pytest.raises(ApiServerUnreachable):
            async for _ in client.watch(Scope(Ingress), Decoder(Ingress), since="1"):
                pass
