import pytest

from remora.controller.place import TopologySettings, with_place
from remora.core.settings import RoutingSettings
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from tests.support.api import FakeApi, running_api

ROUTING = RoutingSettings(session_key=b"k")


async def _anonymous() -> str:
    return ""


async def placed(topology: TopologySettings, api: FakeApi) -> tuple[str, str]:
    async with ApiClient.open(Connection(api.url, _anonymous)) as client:
        routing = await with_place(ROUTING, topology, client, jitter=lambda: 0.0)
    return routing.node, routing.zone


@pytest.mark.parametrize(
    ("topology", "wanted"),
    [
        (TopologySettings(enabled=True, node="n1"), ("n1", "zone-a")),
        (TopologySettings(enabled=True, node="n2"), ("n2", "")),
        (TopologySettings(enabled=True, node="gone"), ("gone", "")),
        (TopologySettings(enabled=True, node="n1", zone="zone-b"), ("n1", "zone-b")),
        (TopologySettings(enabled=True), ("", "")),
        (TopologySettings(node="n1"), ("", "")),
    ],
)
async def test_the_zone_is_that_of_the_own_node_if_it_is_wanted(topology: TopologySettings, wanted: tuple[str, str]) -> None:
    async with running_api() as api:
        api.put("nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "zone-a"}}})
        api.put("nodes", {"metadata": {"name": "n2"}})
        assert await placed(topology, api) == wanted


async def test_without_the_right_to_read_nodes_no_zone_is_known() -> None:
    async with running_api() as api:
        api.may = lambda access: access.resource != "nodes"
        assert await placed(TopologySettings(enabled=True, node="n1"), api) == ("n1", "")
