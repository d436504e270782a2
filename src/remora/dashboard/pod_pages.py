"""The page of one pod, and deleting it."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remora.core.names import NamespacedName
from remora.dashboard.fragments import Element, element_id
from remora.dashboard.lookout import Lookout, Seen
from remora.dashboard.pod_page import container_rows
from remora.dashboard.site import Site, shell
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_actions import Rights, Told, delete_pod
from remora.dashboard.workload_kinds import EVENT, POD
from remora.dashboard.workload_objects import Event, Pod
from remora.dashboard.workload_others import event_rows, events_about
from remora.dashboard.workload_pages import SHOWN, kept, name_of, viewer_of, workloads_in
from remora.dashboard.workload_tables import Leaves
from remora.dashboard.workloads import owner_path, pod_row

_PARTS = ("containers", "conditions", "events")


class PodPages:
    """`/pods/{namespace}/{name}`."""

    def __init__(self, site: Site, lookout: Lookout, rights: Rights) -> None:
        self._site = site
        self._lookout = lookout
        self._rights = rights

    def routes(self) -> tuple[Route, ...]:
        """Where the page is."""
        one = "/pods/{namespace}/{name}"
        return (Route(one, self.one), Route(f"{one}/delete", self.delete, methods=["POST"]))

    async def one(self, request: Request) -> Response:
        """One pod."""
        return await self._one(request, None)

    async def delete(self, request: Request) -> Response:
        """Deletes the pod, and shows what becomes of it."""
        return await self._one(request, await delete_pod(viewer_of(request), name_of(request)))

    async def _one(self, request: Request, told: Told | None) -> Response:
        viewer, name = viewer_of(request), name_of(request)
        leaves, sorts = Leaves(self._site), (*SHOWN, EVENT)

        async def see(viewer: Viewer) -> Seen:
            return await self._lookout.see(viewer, sorts)

        seen = await see(viewer)
        found = _find(name, seen)
        if found is None and told is None:
            raise HTTPException(404)
        page = await self._site.live_page(
            request,
            "pod.html",
            kept(lambda seen, _: _about(leaves, name, seen), see, leaves),
            title=name.name,
            query={},
            told=told,
            name=name,
            owners=owner_path(found, workloads_in(seen)) if found else (),
            may_delete=await self._rights.may(viewer, "delete", POD, name),
            may_read_logs=await self._rights.may(viewer, "get", POD, name, subresource="log"),
        )
        page.status_code = told.status if told else 200
        return page


def _find(name: NamespacedName, seen: Seen) -> Pod | None:
    return next((one for one in seen.of(POD, Pod) if one.key == name), None)


def _about(leaves: Leaves, name: NamespacedName, seen: Seen) -> Sequence[Element]:
    """The live part of a pod's page."""
    pod = _find(name, seen)
    if pod is None:
        gone = leaves.leaf("notice", "summary", "warn", f"Pod {name} is gone.")
        return (leaves.notices("unknown", ()), gone, *(shell("div", id, ()) for id in _PARTS))
    row = pod_row(pod)
    numbers = (
        ("Status", row.state.reason, row.state.tone.value),
        ("Ready", row.ready, ""),
        ("Restarts", row.state.restarts, ""),
        ("IP", row.ip or "none", "mono"),
        ("Node", row.node or "none", "mono"),
        ("Age", row.created, "time"),
    )
    about = events_about(seen.of(EVENT, Event), (pod.metadata.uid,))
    containers = [leaves.leaf("container", element_id("c", one.name), one) for one in container_rows(pod)]
    return (
        leaves.notices("unknown", sorted(seen.trouble.items())),
        leaves.leaf("stats", "summary", numbers),
        shell("div", "containers", containers),
        leaves.conditions("conditions", pod.status.conditions),
        leaves.events("events", event_rows(about, most=100)),
    )
