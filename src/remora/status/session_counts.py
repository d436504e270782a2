"""Writes to every pod how many sessions live on it, by choice: for people, and so that a scale-down takes the emptiest pods.

A ReplicaSet that has pods to spare ends those first whose deletion cost is lowest.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, ConfigurationError, HAProxyError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.objects import Pod
from remora.kube.resources import RESOURCES

SESSIONS = "remora.io/sessions"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
INTERVAL = 10.0
"""Seconds between two rounds."""

_SETTLED = (404, 409)
"""The pod has gone, or somebody else is writing; the next round looks again."""

_log = logging.getLogger(__name__)


class CountPatch(msgspec.Struct, frozen=True):
    """What a pod is to tell; None where its sessions are not known any more."""

    pod: NamespacedName
    sessions: int | None

    def body(self) -> dict[str, object]:
        """As a merge patch."""
        text = None if self.sessions is None else str(self.sessions)
        return {"metadata": {"annotations": {SESSIONS: text, DELETION_COST: text}}}


def decide_counts(wanted: Mapping[NamespacedName, int], written: Mapping[NamespacedName, int]) -> tuple[CountPatch, ...]:
    """What to write, if `written` stands there already."""
    changed = [CountPatch(pod, count) for pod, count in sorted(wanted.items()) if written.get(pod) != count]
    ended = [CountPatch(pod, None) for pod in sorted(written.keys() - wanted.keys())]
    return (*changed, *ended)


class SessionCounts:
    """Keeps the pods' annotations up to date with what `read` gives."""

    def __init__(
        self,
        client: ApiClient,
        read: Callable[[], Awaitable[Mapping[NamespacedName, int]]],
        *,
        interval: float = INTERVAL,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self._client = client
        self._read = read
        self._interval = interval
        self._leads = leads
        self._written: dict[NamespacedName, int] = {}

    async def run(self) -> None:
        """Writes for ever."""
        while True:
            try:
                if self._leads():
                    await self._write_all(await self._read())
                else:
                    self._written.clear()  # the leader of now writes there
            except HAProxyError as error:
                _log.warning("the sessions of pods are not known: %s", error)
            await asyncio.sleep(self._interval)

    async def _write_all(self, wanted: Mapping[NamespacedName, int]) -> None:
        for patch in decide_counts(wanted, self._written):
            if not await self._write(patch):
                continue
            if patch.sessions is None:
                del self._written[patch.pod]
            else:
                self._written[patch.pod] = patch.sessions

    async def _write(self, patch: CountPatch) -> bool:
        """Whether the pod says so now, or has gone."""
        try:
            await self._client.patch(RESOURCES[Pod], patch.pod, patch.body())
        except ApiServerRefused as error:
            if error.status not in _SETTLED:
                _log.warning("the sessions of pod %s are not taken: %s", patch.pod, error)
            return error.status == 404 and patch.sessions is None
        except (ApiServerError, ConfigurationError) as error:
            _log.warning("the sessions of pod %s were not written: %s", patch.pod, error)
            return False
        return True
