import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from remora.controller.session_key import NAME, borrow_session_key, fetch_session_key, read_key
from remora.core.errors import ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.kube.objects import Secret
from tests.support.api import FakeApi, running_api


async def _anonymous() -> str:
    return ""


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[FakeApi, ApiClient]]:
    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:
        yield api, client


async def _fetch(client: ApiClient, own: str = "", given: NamespacedName | None = None) -> bytes:
    return await fetch_session_key(client, given, own_namespace=own, jitter=lambda: 0.0)


async def test_replicas_that_start_at_once_share_one_key() -> None:
    async with connected() as (api, client):
        keys = await asyncio.gather(*(_fetch(client, "remora") for _ in range(5)))
        assert len(set(keys)) == 1
        assert len(keys[0]) == 32
        assert list(api.objects["secrets"]) == [("remora", NAME)]


@pytest.mark.parametrize(("exists", "namespace"), [(True, "ingress-remora"), (False, "default")])
async def test_outside_a_cluster_the_usual_namespace_is_looked_for(exists: bool, namespace: str) -> None:
    async with connected() as (api, client):
        if exists:
            api.put("namespaces", {"metadata": {"name": "ingress-remora"}})
        await _fetch(client)
        assert list(api.objects["secrets"]) == [(namespace, NAME)]


async def test_who_may_not_look_at_namespaces_uses_that_of_the_manifest() -> None:
    async with connected() as (api, client):
        api.forbidden.add("namespaces")
        await _fetch(client)
        assert list(api.objects["secrets"]) == [("ingress-remora", NAME)]


async def test_the_given_secret_goes_before_all(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (api, client):
        api.forbidden.add("secrets")
        waiting = asyncio.create_task(_fetch(client, "remora", NamespacedName("a", "b")))
        async with asyncio.timeout(30):
            while "grant get and create on Secrets" not in caplog.text:
                await asyncio.sleep(0.005)
        api.forbidden.clear()
        await waiting
        assert list(api.objects["secrets"]) == [("a", "b")]


def test_a_secret_without_a_key_is_refused() -> None:
    secret = msgspec.convert({"metadata": {"name": "s", "namespace": "n"}, "data": {"key": b"short"}}, Secret)
    with pytest.raises(ConfigurationError, match=r"Secret n/s: data\.key has 5 bytes"):
        read_key(secret)


async def test_a_shadow_borrows_the_key_and_creates_none(caplog: pytest.LogCaptureFixture) -> None:
    async with connected() as (api, client):

        async def borrowed() -> bytes:
            return await borrow_session_key(client, None, own_namespace="remora", jitter=lambda: 0.0)

        assert len({await borrowed(), await borrowed()}) == 2
        assert "sessions end with this process" in caplog.text
        assert not api.objects["secrets"]
        key = await _fetch(client, "remora")
        assert await borrowed() == key
