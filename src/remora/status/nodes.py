"""The addresses of the nodes on which this controller runs: what Ingresses tell where no flag says better."""

from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec

from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.objects import Node, ObjectMeta, Pod
from remora.kube.objects.meta import Wire
from remora.kube.resources import RESOURCES
from remora.status.replicas import selector_of_replicas


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""


class _PodSpec(Wire, frozen=True):
    node_name: str = ""


class _PodStatus(Wire, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class RunningPod(Wire, frozen=True):
    """A pod, as far as it says where it runs."""

    metadata: ObjectMeta
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()


class _NodeAddress(Wire, frozen=True):
    type: str = ""
    address: str = ""


class _NodeStatus(Wire, frozen=True):
    addresses: tuple[_NodeAddress, ...] = ()


class AddressedNode(Wire, frozen=True):
    """A node, as far as it says how it is reached."""

    metadata: ObjectMeta
    status: _NodeStatus = _NodeStatus()


class _Pods(Wire, frozen=True):
    items: tuple[RunningPod, ...] = ()


async def fetch_node_addresses(client: ApiClient, pod: NamespacedName, *, internal: bool) -> tuple[str, ...]:
    """The addresses of the nodes on which ready pods with this pod's labels run.

    Raises:
        ApiServerError: the API server does not say.
    """
    pods = RESOURCES[Pod].path(pod.namespace)

    async def select(**selectors: str) -> tuple[RunningPod, ...]:
        return msgspec.json.decode(await client.read(f"{pods}?{urlencode(selectors)}"), type=_Pods).items

    try:
        own = await select(fieldSelector=f"metadata.name={pod.name}")
        selector = selector_of_replicas(one.metadata for one in own)
        if not selector:
            return ()
        replicas = await select(labelSelector=selector)
        nodes = [await _fetch_node(client, name) for name in sorted(_used_nodes(replicas))]
    except msgspec.MsgspecError as error:
        raise ApiServerUnreachable(f"the answer is no list of pods or nodes: {error}") from error
    return node_addresses((one for one in nodes if one), internal=internal)


async def _fetch_node(client: ApiClient, name: str) -> AddressedNode | None:
    try:
        return msgspec.json.decode(await client.read(RESOURCES[Node].path(name=name)), type=AddressedNode)
    except ApiServerRefused as error:
        if error.status == 404:  # it went, and its pods will
            return None
        raise


def _used_nodes(pods: Iterable[RunningPod]) -> set[str]:
    """The nodes of ready pods."""
    ready = _Condition("Ready", "True")
    return {one.spec.node_name for one in pods if one.spec.node_name and ready in one.status.conditions}


def node_addresses(nodes: Iterable[AddressedNode], *, internal: bool) -> tuple[str, ...]:
    """The external addresses of nodes; internal ones where a node has none, or where those are wanted."""
    found: set[str] = set()
    for node in nodes:
        for kind in ("InternalIP",) if internal else ("ExternalIP", "InternalIP"):
            addresses = {one.address for one in node.status.addresses if one.type == kind and one.address}
            if addresses:
                found |= addresses
                break
    return tuple(sorted(found))
