"""Pages of what surrounds workloads: Services, Ingresses, ConfigMaps and Secrets (names and keys), nodes, and Events."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from remora.dashboard.fragments import Element
from remora.dashboard.lookout import Lookout, Seen
from remora.dashboard.site import Query, Site
from remora.dashboard.workload_kinds import CONFIGMAP, EVENT, INGRESS, NODE, SECRET, SERVICE, Sort
from remora.dashboard.workload_objects import Event, Holder, Ingress, Node, Service
from remora.dashboard.workload_others import event_rows, holder_rows, ingress_rows, node_rows, service_rows
from remora.dashboard.workload_pages import SERVICE_HEADS, kept, viewer_of
from remora.dashboard.workload_tables import EVENT_HEADS, Leaves

Rows = Sequence[tuple[str, Any]]


class Tab(msgspec.Struct, frozen=True):
    """A list of objects: which kinds it needs, and its rows, each with what tells it from the others."""

    title: str
    macro: str
    heads: tuple[str, ...]
    needs: tuple[Sort, ...]
    rows: Callable[[Seen], Rows]


def _by_uid(rows: Sequence[Any]) -> Rows:
    return [(row.uid, row) for row in rows]


TABS = {
    "services": Tab(
        "Services",
        "service_row",
        SERVICE_HEADS,
        (SERVICE, INGRESS),
        lambda seen: _by_uid(service_rows(seen.of(SERVICE, Service), seen.of(INGRESS, Ingress))),
    ),
    "ingresses": Tab(
        "Ingresses",
        "ingress_row",
        ("Ingress", "Namespace", "Class", "Address", "Leads", "Age"),
        (INGRESS,),
        lambda seen: _by_uid(ingress_rows(seen.of(INGRESS, Ingress))),
    ),
    "configmaps": Tab(
        "ConfigMaps",
        "holder_row",
        ("ConfigMap", "Namespace", "Type", "Keys", "Age"),
        (CONFIGMAP,),
        lambda seen: _by_uid(holder_rows(seen.of(CONFIGMAP, Holder))),
    ),
    "secrets": Tab(
        "Secrets",
        "holder_row",
        ("Secret", "Namespace", "Type", "Keys", "Age"),
        (SECRET,),
        lambda seen: _by_uid(holder_rows(seen.of(SECRET, Holder))),
    ),
    "nodes": Tab(
        "Nodes",
        "node_row",
        ("Node", "State", "Roles", "Version", "Address", "Capacity", "Age"),
        (NODE,),
        lambda seen: _by_uid(node_rows(seen.of(NODE, Node))),
    ),
    "events": Tab(
        "Events",
        "event_row",
        EVENT_HEADS,
        (EVENT,),
        lambda seen: _by_uid(event_rows(seen.of(EVENT, Event))),
    ),
}


class ObjectPages:
    """`/objects/{tab}`."""

    def __init__(self, site: Site, lookout: Lookout) -> None:
        self._site = site
        self._lookout = lookout

    def routes(self) -> tuple[Route, ...]:
        """Where the pages are."""
        return (Route("/objects", self.first), Route("/objects/{tab}", self.list))

    async def first(self, request: Request) -> Response:
        """The first of the lists."""
        return RedirectResponse(f"/objects/{next(iter(TABS))}", 303)

    async def list(self, request: Request) -> Response:
        """One list."""
        viewer, name = viewer_of(request), request.path_params["tab"]
        tab = TABS.get(name)
        if tab is None:
            raise HTTPException(404)
        leaves = Leaves(self._site)

        def make(seen: Seen, query: Query) -> Sequence[Element]:
            words = query.get("q", "").lower().split()
            rows = [(key, row) for key, row in tab.rows(seen) if all(word in texts(row) for word in words)]
            table = leaves.titled(tab.macro, "objects", tab.heads, rows, empty=f"No {tab.title} here.")
            return (leaves.notices("unknown", sorted(seen.trouble.items())), table)

        roots = kept(make, lambda viewer: self._lookout.see(viewer, tab.needs), leaves)
        await self._lookout.see(viewer, tab.needs)
        return await self._site.live_page(request, "objects.html", roots, title=tab.title, tabs=TABS, tab=name)


def texts(row: msgspec.Struct) -> str:
    """All that a row shows, for a search."""
    return " ".join(str(value) for value in msgspec.structs.astuple(row)).lower()
