"""Deleting pods of nodes that do not exist."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from remora.cluster.api.registry import Registry
from remora.cluster.controllers.podgarbage import PodGarbageCollector, decide
from remora.cluster.events import Events
from remora.cluster.objects import Object
from remora.cluster.store import Store

LEAVING = {"deletionTimestamp": "2026-05-01T12:00:00Z", "deletionGracePeriodSeconds": 30}


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = Store(tmp_path / "store.db")
    made = Registry(store=store)
    await made.create("namespaces", {"metadata": {"name": "default"}})
    collecting = asyncio.create_task(PodGarbageCollector(registry=made, events=Events(registry=made)).run())
    yield made
    collecting.cancel()
    with suppress(asyncio.CancelledError):
        await collecting
    store.close()


def pod(node: str, **metadata: object) -> Object:
    containers = [{"name": "c", "image": "x:1"}]
    return {
        "metadata": {"name": "p", "namespace": "default", **metadata},
        "spec": {"nodeName": node, "containers": containers},
    }


async def is_gone(registry: Registry) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while registry.find("pods", "default", "p") is not None:
                await asyncio.sleep(0.01)
    return registry.find("pods", "default", "p") is None


async def test_a_pod_of_a_node_that_does_not_exist_can_be_deleted(registry: Registry) -> None:
    await registry.create("pods", pod("nowhere"))
    await registry.delete("pods", "default", "p")
    assert await is_gone(registry)


async def test_a_pod_that_is_leaving_goes_with_its_node(registry: Registry) -> None:
    await registry.create("nodes", {"metadata": {"name": "here"}})
    await registry.create("pods", pod("here"))
    await registry.delete("pods", "default", "p")
    await registry.delete("nodes", "", "here")
    assert await is_gone(registry)


def test_only_who_waits_for_a_node_that_is_not_there_is_removed() -> None:
    assert decide(pod("nowhere", **LEAVING), has_node=False)
    assert decide(pod("here", **LEAVING), has_node=True) == ()
    assert decide(pod("nowhere"), has_node=False) == ()
    assert decide(pod("nowhere", **LEAVING | {"deletionGracePeriodSeconds": 0}), has_node=False) == ()
