"""Where the controller is: the zone of its own node, for hints about the way to near pods."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused
from remora.core.names import NamespacedName
from remora.core.settings import RoutingSettings
from remora.kube.client import ApiClient
from remora.kube.objects import Node
from remora.kube.objects.node import ZONE_LABEL
from remora.kube.reflector import Position, wait_of


class TopologySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whether hints are followed, and what is known beforehand: the node's name, and its zone if it need not be asked for."""

    enabled: bool = False
    node: str = ""
    zone: str = ""


_log = logging.getLogger(__name__)


async def with_place(
    routing: RoutingSettings, topology: TopologySettings, client: ApiClient, *, jitter: Callable[[], float]
) -> RoutingSettings:
    """The settings with the controller's node and zone, where hints are to be followed."""
    if not topology.enabled:
        return routing
    zone = topology.zone
    if not zone and topology.node:
        zone = await _fetch_zone(client, topology.node, jitter=jitter)
    elif not zone:
        _log.warning("the controller's node is unknown, so no hints of topology are followed; set NODE_NAME or --node-name")
    return msgspec.structs.replace(routing, node=topology.node, zone=zone)


async def _fetch_zone(client: ApiClient, node: str, *, jitter: Callable[[], float]) -> str:
    """The node's zone; waits for the API server as long as it takes, but not for a right that it does not grant."""
    failures = 0
    while True:
        try:
            found = await client.fetch(Node, NamespacedName("", node))
        except ApiServerRefused as error:
            if error.status in (403, 404):
                _log.warning("the zone of node %s is unknown, so no hints about zones are followed: %s", node, error)
                return ""
            failures += 1
        except ApiServerError:
            failures += 1
        else:
            if not found.zone:
                _log.warning("node %s has no label %s, so no hints about zones are followed", node, ZONE_LABEL)
            return found.zone
        await asyncio.sleep(wait_of(Position(failures=failures), jitter()))
