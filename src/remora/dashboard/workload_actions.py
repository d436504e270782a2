"""What a viewer does to workloads, with the viewer's own credentials: scale, restart, delete a pod. And whether they may.

Nothing here is done for a viewer who may only look, whatever the API server would allow.
"""

import time
from datetime import UTC, datetime

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused
from remora.core.names import NamespacedName
from remora.dashboard.access_review import may
from remora.dashboard.manifest_apply import FIELD_MANAGER
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_kinds import POD, Sort
from remora.dashboard.workloads import pod_path, restart_patch
from remora.kube.client import ApiClient

MOST_REPLICAS = 10_000
_RIGHTS_LAST = 30.0
"""Seconds for which an answer about rights is kept; the API server has the last word anyway."""
_MOST_KEPT = 5_000


class Told(msgspec.Struct, frozen=True):
    """The answer to an action, for the page. `kind` is "good" or "bad", `status` that of the page."""

    kind: str
    text: str
    status: int = 200


READ_ONLY = Told("bad", "This dashboard only shows; it changes nothing.", 403)


class Rights:
    """Whether a viewer may do something, as the API server says (SelfSubjectAccessReview)."""

    def __init__(self) -> None:
        self._known: dict[tuple[ApiClient, str, str, str, str], tuple[float, bool]] = {}

    async def may(self, viewer: Viewer, verb: str, sort: Sort, name: NamespacedName, *, subresource: str = "") -> bool:
        """Whether there is any use in a button. False also where it cannot be found out."""
        if viewer.client is None or not (viewer.may_write or verb == "get"):
            return False
        key = (viewer.client, verb, f"{sort.group}/{sort.plural}/{subresource}", name.namespace, name.name)
        asked, answer = self._known.get(key, (0.0, False))
        if not asked or time.monotonic() - asked > _RIGHTS_LAST:
            answer = await self._ask(viewer.client, verb, sort, name, subresource)
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[key] = (time.monotonic(), answer)
        return answer

    async def _ask(self, client: ApiClient, verb: str, sort: Sort, name: NamespacedName, subresource: str) -> bool:
        asked = {"verb": verb, "group": sort.group, "resource": sort.plural, "subresource": subresource}
        try:
            return await may(client, {**asked, "namespace": name.namespace, "name": name.name})
        except (ApiServerError, msgspec.MsgspecError):
            return False


async def scale(viewer: Viewer, sort: Sort, name: NamespacedName, wanted: str) -> Told:
    """Sets the number of pods."""
    if not viewer.may_write or viewer.client is None:
        return READ_ONLY
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 6 and int(wanted) <= MOST_REPLICAS) or not sort.scalable:
        return Told("bad", f"The number of pods is a number from 0 to {MOST_REPLICAS}.", 422)
    number = int(wanted)
    try:
        body = {"spec": {"replicas": number}}
        await viewer.client.patch(sort.resource, name, body, subresource="scale", manager=FIELD_MANAGER)
    except ApiServerError as error:
        return refused(f"{sort.kind} {name} was not scaled", error)
    return Told("good", f"{sort.kind} {name} is to have {number} pod{'' if number == 1 else 's'}.")


async def restart(viewer: Viewer, sort: Sort, name: NamespacedName) -> Told:
    """Makes all pods anew, one after the other as the workload's strategy says."""
    if not viewer.may_write or viewer.client is None:
        return READ_ONLY
    if not sort.restartable:
        return Told("bad", f"A {sort.kind} has no restart.", 422)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        await viewer.client.patch(sort.resource, name, restart_patch(now), manager=FIELD_MANAGER)
    except ApiServerError as error:
        return refused(f"{sort.kind} {name} was not restarted", error)
    return Told("good", f"{sort.kind} {name} restarts: its pods are replaced by new ones.")


async def delete_pod(viewer: Viewer, name: NamespacedName) -> Told:
    """Deletes a pod; whoever looks after it makes another."""
    if not viewer.may_write or viewer.client is None:
        return READ_ONLY
    try:
        await viewer.client.delete(pod_path(name))
    except ApiServerError as error:
        return refused(f"{POD.kind} {name} was not deleted", error)
    return Told("good", f"Pod {name} is being deleted.")


def refused(what: str, error: ApiServerError) -> Told:
    """The API server's own words, after what did not happen."""
    if isinstance(error, ApiServerRefused):
        return Told("bad", f"{what}: {error.message}", error.status)
    return Told("bad", f"{what}: {error}", 502)
