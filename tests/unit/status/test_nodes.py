import asyncio

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.kube.objects import Ingress
from remora.status.addresses import PublishSettings
from remora.status.nodes import AddressedNode, fetch_node_addresses, node_addresses
from remora.status.reporter import Report, Reporter
from remora.watch.snapshot import Snapshot
from tests.support.api import running_api


def node(name: str, *addresses: tuple[str, str]) -> AddressedNode:
    said = [{"type": kind, "address": address} for kind, address in addresses]
    return msgspec.convert({"metadata": {"name": name}, "status": {"addresses": said}}, AddressedNode)


NODES = (
    node("one", ("InternalIP", "10.0.0.1"), ("ExternalIP", "203.0.113.1"), ("Hostname", "one")),
    node("two", ("InternalIP", "10.0.0.2")),
    node("three", ("InternalIP", "10.0.0.3"), ("ExternalIP", "203.0.113.3")),
)


def test_nodes_are_told_by_their_external_addresses_if_they_have_some() -> None:
    assert node_addresses(NODES, internal=False) == ("10.0.0.2", "203.0.113.1", "203.0.113.3")
    assert node_addresses(NODES, internal=True) == ("10.0.0.1", "10.0.0.2", "10.0.0.3")


async def test_only_nodes_of_ready_replicas_count() -> None:
    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:
        for name, place, is_ready in (("a", "one", True), ("b", "two", False), ("c", "gone", True)):
            conditions = [{"type": "Ready", "status": str(is_ready)}]
            meta = {"name": name, "namespace": "edge", "labels": {"app": "remora"}}
            api.put("pods", {"metadata": meta, "spec": {"nodeName": place}, "status": {"conditions": conditions}})
        for node in NODES:
            api.put("nodes", msgspec.to_builtins(node))
        assert await fetch_node_addresses(client, NamespacedName("edge", "a"), internal=False) == ("203.0.113.1",)
        assert await fetch_node_addresses(client, NamespacedName("edge", "nobody"), internal=False) == ()


@pytest.mark.parametrize(
    ("settings", "told"),
    [(PublishSettings(), "203.0.113.1"), (PublishSettings(("192.0.2.1",)), "192.0.2.1")],
)
async def test_without_a_flag_ingresses_tell_the_addresses_of_nodes(settings: PublishSettings, told: str) -> None:
    async def fetch() -> tuple[str, ...]:
        return ("203.0.113.1",)

    async with running_api() as api, ApiClient.open(Connection(api.url, _anonymous)) as client:
        ingress = msgspec.convert(api.put("ingresses", {"metadata": {"name": "a", "namespace": "shop"}}), Ingress)
        snapshot = Snapshot().changed(Ingress, {ingress.key: ingress})
        reporter = Reporter(client, settings, read_snapshot=lambda: snapshot, instance="pod-1", fetch_nodes=fetch)
        task = asyncio.create_task(reporter.run())
        reporter.tell(Report((), (ingress.ref,)))
        try:
            async with asyncio.timeout(30):
                while told not in str(api.objects):
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _anonymous() -> str:
    return ""


def test_nobody_asks_for_nodes_where_a_flag_says_what_to_tell() -> None:
    assert PublishSettings().asks_nodes
    assert not PublishSettings(is_enabled=False).asks_nodes
    assert not PublishSettings(("192.0.2.1",)).asks_nodes
    assert not PublishSettings(service=NamespacedName("shop", "entry")).asks_nodes
