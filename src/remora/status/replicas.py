"""Whether another pod runs this controller too: what the last one takes along when it goes depends on it."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import msgspec

from remora.core.errors import ApiServerError, ApiServerUnreachable, ConfigurationError
from remora.core.names import NamespacedName, ObjectRef
from remora.kube.client import ApiClient
from remora.kube.objects import ObjectMeta, Pod
from remora.kube.objects.meta import Wire
from remora.kube.resources import RESOURCES

_OF_ONE_GENERATION = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")
"""Labels in which the pods of two versions of one Deployment or DaemonSet differ."""


PATIENCE = 5.0

_log = logging.getLogger(__name__)


class _Item(Wire, frozen=True):
    metadata: ObjectMeta


class _Pods(Wire, frozen=True):
    items: tuple[_Item, ...] = ()


async def is_last_replica(client: ApiClient, pod: NamespacedName) -> bool:
    """Whether no other pod has this pod's labels. Who is no pod cannot know that, and is not the last.

    Raises:
        ApiServerError: the API server does not say.
    """
    own = await _list(client, pod.namespace, {"fieldSelector": f"metadata.name={pod.name}"})
    selector = selector_of_replicas(own)
    if not selector:
        return False
    return all(meta.name == pod.name for meta in await _list(client, pod.namespace, {"labelSelector": selector}))


def selector_of_replicas(own: Iterable[ObjectMeta]) -> str:
    """What selects all pods that run the same as this one; "" if there is none, or it has no labels."""
    labels = {key: text for meta in own for key, text in meta.labels.items() if key not in _OF_ONE_GENERATION}
    return ",".join(f"{key}={text}" for key, text in sorted(labels.items()))


async def find_pod(client: ApiClient, pod: NamespacedName) -> ObjectRef | None:
    """The pod, as Events name it; None if there is none, or it is not to be seen."""
    try:
        async with asyncio.timeout(PATIENCE):
            own = await _list(client, pod.namespace, {"fieldSelector": f"metadata.name={pod.name}"})
    except (ApiServerError, ConfigurationError, TimeoutError) as error:
        _log.warning("reloads make no Events, since the controller's own pod is not to be seen: %s", error)
        return None
    return ObjectRef("Pod", pod, own[0].uid) if own else None


async def _list(client: ApiClient, namespace: str, query: Mapping[str, str]) -> tuple[ObjectMeta, ...]:
    body = await client.read(f"{RESOURCES[Pod].path(namespace)}?{urlencode(query)}")
    try:
        return tuple(item.metadata for item in msgspec.json.decode(body, type=_Pods).items)
    except msgspec.MsgspecError as error:
        raise ApiServerUnreachable(f"the answer is no list of pods: {error}") from error
