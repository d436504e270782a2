"""The pages of workloads and of one workload, with what may be done there."""

import re
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remora.core.names import NamespacedName
from remora.dashboard.fragments import Element
from remora.dashboard.lookout import Lookout, Seen
from remora.dashboard.site import Query, Roots, Site, shell
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_actions import Rights, Told, restart, scale
from remora.dashboard.workload_kinds import EVENT, INGRESS, MAKERS, POD, SERVICE, SORTS, Sort
from remora.dashboard.workload_objects import Event, Ingress, Pod, Service, Workload
from remora.dashboard.workload_others import event_rows, events_about, service_rows, services_to
from remora.dashboard.workload_tables import Leaves, namespace_section
from remora.dashboard.workloads import LISTED_PODS, WorkloadRow, Workloads, chosen, namespace_rows, pods_of, workload_row

SHOWN = (*MAKERS, POD)
SERVICE_HEADS = ("Service", "Namespace", "Type", "Cluster IP", "External", "Ports", "Ways in", "Chooses", "Age")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def name_of(request: Request) -> NamespacedName:
    """The object that a page's path names; 404 for what is no name at all, since it goes into the path of a request."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    for part in (namespace, name):
        if not _NAME.fullmatch(part) or ".." in part:
            raise HTTPException(404)
    return NamespacedName(namespace, name)


def viewer_of(request: Request) -> Viewer:
    """Who asks; 404 where no cluster is known, since then there are no workloads to see."""
    viewer: Viewer = request.state.viewer
    if viewer.client is None:
        raise HTTPException(404)
    return viewer


def kept(make: Callable[[Seen, Query], Sequence[Element]], see: Callable[[Viewer], Awaitable[Seen]], leaves: Leaves) -> Roots:
    """Roots that are made anew only when what they are made of has changed."""
    last: list[tuple[object, Sequence[Element]]] = []

    async def roots(viewer: Viewer, query: Query) -> Sequence[Element]:
        seen = await see(viewer)
        state = (seen.version, dict(query))
        if not last or last[0][0] != state:
            leaves.begin()
            last[:] = [(state, make(seen, query))]
        return last[0][1]

    return roots


def workloads_in(seen: Seen) -> Workloads:
    """What is seen, as the view wants it."""
    return Workloads({sort.plural: seen.of(sort, Workload) for sort in MAKERS}, seen.of(POD, Pod))


class WorkloadPages:
    """`/workloads` and below."""

    def __init__(self, site: Site, lookout: Lookout, rights: Rights) -> None:
        self._site = site
        self._lookout = lookout
        self._rights = rights

    def routes(self) -> tuple[Route, ...]:
        """Where the pages are."""
        one = "/workloads/{namespace}/{plural}/{name}"
        return (
            Route("/workloads", self.all),
            Route(one, self.one),
            Route(f"{one}/scale", self.scale, methods=["POST"]),
            Route(f"{one}/restart", self.restart, methods=["POST"]),
        )

    async def all(self, request: Request) -> Response:
        """All workloads by namespace."""
        viewer = viewer_of(request)
        leaves = Leaves(self._site)

        def make(seen: Seen, query: Query) -> Sequence[Element]:
            words = query.get("q", "")
            # Whoever searches for a pod has to find it among all of them.
            rows = chosen(
                namespace_rows(workloads_in(seen), listed=None if words else LISTED_PODS),
                words=words,
                namespace=query.get("namespace", ""),
                in_trouble=query.get("trouble") == "1",
            )
            sections: list[Element] = [namespace_section(leaves, one) for one in rows]
            if not sections:
                sections = [leaves.leaf("notice", "nothing", "", "No workload is like that.")]
            trouble = leaves.notices("unknown", sorted(seen.trouble.items()))
            return (trouble, shell("div", "workloads", sections))

        seen = await self._lookout.see(viewer, SHOWN)
        namespaces = sorted({one.metadata.namespace for found in seen.objects.values() for one in found})
        roots = kept(make, lambda viewer: self._lookout.see(viewer, SHOWN), leaves)
        return await self._site.live_page(
            request, "workloads.html", roots, title="Workloads", namespaces=namespaces, may_apply=viewer.may_write
        )

    async def one(self, request: Request) -> Response:
        """One workload."""
        return await self._one(request, None)

    async def scale(self, request: Request) -> Response:
        """Sets the number of pods, and shows the workload."""
        form: Mapping[str, str] = request.state.form
        told = await scale(viewer_of(request), _sort_of(request), name_of(request), form.get("replicas", "").strip())
        return await self._one(request, told)

    async def restart(self, request: Request) -> Response:
        """Restarts the workload, and shows it."""
        return await self._one(request, await restart(viewer_of(request), _sort_of(request), name_of(request)))

    async def _one(self, request: Request, told: Told | None) -> Response:
        viewer, sort, name = viewer_of(request), _sort_of(request), name_of(request)
        leaves = Leaves(self._site)
        sorts = (*SHOWN, EVENT, SERVICE, INGRESS)
        roots = kept(lambda seen, _: _about(leaves, sort, name, seen), lambda viewer: self._lookout.see(viewer, sorts), leaves)
        seen = await self._lookout.see(viewer, sorts)
        found = _find(sort, name, seen)
        if found is None and told is None:
            raise HTTPException(404)
        page = await self._site.live_page(
            request,
            "workload.html",
            roots,
            title=name.name,
            query={},
            told=told,
            kind=sort.kind,
            plural=sort.plural,
            name=name,
            wanted=(found.spec.replicas if found and found.spec.replicas is not None else 1),
            may_scale=sort.scalable and await self._rights.may(viewer, "patch", sort, name, subresource="scale"),
            may_restart=sort.restartable and await self._rights.may(viewer, "patch", sort, name),
        )
        page.status_code = told.status if told else 200
        return page


def _sort_of(request: Request) -> Sort:
    sort = SORTS.get(request.path_params["plural"])
    if sort not in MAKERS or sort is None:
        raise HTTPException(404)
    return sort


def _find(sort: Sort, name: NamespacedName, seen: Seen) -> Workload | None:
    return next((one for one in seen.of(sort, Workload) if one.key == name), None)


def _about(leaves: Leaves, sort: Sort, name: NamespacedName, seen: Seen) -> Sequence[Element]:
    """The live part of a workload's page."""
    workloads, one = workloads_in(seen), _find(sort, name, seen)
    if one is None:
        gone = leaves.leaf("notice", "summary", "warn", f"{sort.kind} {name} is gone.")
        return (leaves.notices("unknown", ()), gone, *(shell("div", id, ()) for id in ("pods", "ways", "conditions", "events")))
    pods = pods_of(one.metadata.uid, workloads)
    row = workload_row(sort, one, pods)
    template = one.spec.job_template.spec.template if one.spec.job_template else one.spec.template
    services = services_to(seen.of(SERVICE, Service), name.namespace, template.metadata.labels)
    ways = service_rows(services, seen.of(INGRESS, Ingress))
    below = [other.metadata.uid for others in workloads.makers.values() for other in others if _is_of(other, one)]
    about = events_about(seen.of(EVENT, Event), (one.metadata.uid, *below, *(pod.metadata.uid for pod in pods)))
    return (
        leaves.notices("unknown", sorted(seen.trouble.items())),
        leaves.leaf("stats", "summary", tuple(_numbers(sort, row))),
        leaves.pods("pods", row.pods),
        leaves.titled(
            "service_row", "ways", SERVICE_HEADS, [(way.uid, way) for way in ways], empty="No Service chooses these pods."
        ),
        leaves.conditions("conditions", one.status.conditions),
        leaves.events("events", event_rows(about, most=100)),
    )


_WORDS = {"good": "as wanted", "waiting": "on its way", "bad": "in trouble", "done": "at rest", "going": "going"}
_READY = {"cronjobs": "Active", "jobs": "Succeeded"}


def _numbers(sort: Sort, row: WorkloadRow) -> Iterator[tuple[str, Hashable, str]]:
    yield "State", row.note or _WORDS[row.tone.value], row.tone.value
    if row.desired is not None:
        yield "Desired", row.desired, ""
    yield _READY.get(sort.plural, "Ready"), row.ready, ""
    if row.updated is not None:
        yield "Updated", row.updated, ""
    yield "Images", row.images, "images"
    yield "Age", row.created, "time"


def _is_of(other: Workload, one: Workload) -> bool:
    return other.owner is not None and other.owner.uid == one.metadata.uid
