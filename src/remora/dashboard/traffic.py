"""The pages of traffic: map, charts, time line and problems."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remora.core.errors import RemoraError
from remora.dashboard.charts import HEIGHT, LEFT, WIDTH, Chart, charts
from remora.dashboard.fragments import Element, Leaf, element_id
from remora.dashboard.map import map_elements
from remora.dashboard.map_view import map_view
from remora.dashboard.poller import Poller, State
from remora.dashboard.site import Entry, Part, Query, Roots, Site, environment, shell
from remora.dashboard.timeline import ChangeView, problem_views, time_line
from remora.dashboard.view import Lit, ProblemView, Wanted, namespaces_of, parse_words
from remora.dashboard.viewer import Viewer
from remora.report.explain import Explanation

_macros = environment().get_template("timeline_parts.html").module
_MADE = 64
"""Pages that are kept for viewers who look at the same."""


class Question(msgspec.Struct, frozen=True):
    """A request that is to be explained, as a person typed it."""

    url: str = ""
    cookies: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    method: str = "GET"


class Explained(msgspec.Struct, frozen=True):
    """An explanation, and what could not be read for it."""

    explanation: Explanation
    notes: tuple[str, ...] = ()


class Explainer(Protocol):
    """Explains with what the viewer may read. Raises RemoraError."""

    async def __call__(self, viewer: Viewer, question: Question) -> Explained: ...


class Traffic:
    """Pages made of what controllers say."""

    def __init__(self, site: Site, poller: Poller, explain: Explainer | None) -> None:
        self._site = site
        self._poller = poller
        self._explain = explain
        self._made: OrderedDict[Any, tuple[Element, ...]] = OrderedDict()

    def part(self) -> Part:
        """What this adds to the dashboard."""
        routes = [Route("/", self.map)]
        routes += [Route("/charts", self.charts), Route("/timeline", self.time_line), Route("/problems", self.problems)]
        if self._explain:
            routes.append(Route("/explain", self.explain, methods=["GET", "POST"]))
        entries = (
            Entry("/", "Map"),
            Entry("/charts", "Charts"),
            Entry("/timeline", "Time line"),
            Entry("/problems", "Problems"),
        )
        return Part(entries, tuple(routes))

    async def charts(self, request: Request) -> Response:
        """Requests, times, sessions and what broke."""

        def elements(state: State, seen: frozenset[str] | None, query: Query) -> Sequence[Element]:
            made = charts(state.history, seen, pods=query.get("q", "").strip())
            leaves = [Leaf(f"chart-{one.id}", self._chart(one)) for one in made]
            return (shell("div", "charts", leaves, class_="charts"),)

        return await self._site.live_page(request, "charts.html", self._roots(("charts",), elements), title="Charts")

    async def time_line(self, request: Request) -> Response:
        """What controllers did, and when."""

        def elements(state: State, seen: frozenset[str] | None, query: Query) -> Sequence[Element]:
            line = time_line(state.history, seen, parse_words(query.get("q", "")))
            leaves = [Leaf(one.id, _change(one)) for one in line.changes] or [
                _nothing("No change fits, or there was none yet.")
            ]
            strip = Leaf("strip", str(_macros.strip(line)))  # type: ignore[attr-defined]
            return strip, shell("ul", "listing", leaves, class_="card flush changes")

        return await self._site.live_page(
            request, "listing.html", self._roots(("strip", "listing"), elements), title="Time line"
        )

    async def problems(self, request: Request) -> Response:
        """What is wrong in which object."""

        def elements(state: State, seen: frozenset[str] | None, query: Query) -> Sequence[Element]:
            leaves = [_problem(one) for one in problem_views(state.history, seen, parse_words(query.get("q", "")))] or [
                _nothing("No problem: everything is served as written.")
            ]
            return (shell("ul", "listing", leaves),)

        return await self._site.live_page(request, "listing.html", self._roots(("listing",), elements), title="Problems")

    def _chart(self, one: Chart) -> str:
        return self._site.fragment("chart.html", one=one, width=WIDTH, height=HEIGHT, left=LEFT)

    async def map(self, request: Request) -> Response:
        """Hosts, rules, Services and pods."""
        return await self._map(request, Question(), None)

    async def explain(self, request: Request) -> Response:
        """The map with the way of a request."""
        form = request.state.form
        question = Question(
            url=form.get("url", "").strip(),
            cookies=_lines(form.get("cookie", ""), ";"),
            headers=_lines(form.get("header", ""), "\n"),
            method=form.get("method", "").strip() or "GET",
        )
        if not question.url or self._explain is None:
            return await self._map(request, question, None)
        try:
            explained = await self._explain(request.state.viewer, question)
        except RemoraError as error:
            return await self._map(request, question, None, refusal=str(error))
        return await self._map(request, question, explained)

    async def _map(self, request: Request, question: Question, explained: Explained | None, *, refusal: str = "") -> Response:
        lit = None
        if explained is not None:
            said = explained.explanation
            chosen = frozenset(pod.name for pod in said.pods if pod.chosen)
            lit = Lit(said.route.id if said.route else "", chosen)
        return await self._site.live_page(
            request,
            "map.html",
            self._map_roots(lit),
            title="Map",
            query={} if request.method == "POST" else None,
            question=question,
            explained=explained,
            refusal=refusal,
            can_explain=self._explain is not None,
            chosen="/",
        )

    def _map_roots(self, lit: Lit | None) -> Roots:
        def elements(state: State, seen: frozenset[str] | None, query: Query) -> Sequence[Element]:
            words = parse_words(query.get("q", ""))
            return map_elements(map_view(state.history, Wanted(words, lit), seen))

        return self._roots(("summary", "aloud", "other-problems", "map"), elements, lit)

    def _roots(
        self,
        ids: tuple[str, ...],
        make: Callable[[State, frozenset[str] | None, Query], Sequence[Element]],
        extra: object = None,
    ) -> Roots:
        """The elements of a page, which have these ids; made once for all viewers who see the same."""

        async def roots(viewer: Viewer, query: Query) -> Sequence[Element]:
            try:
                state = await self._poller.state()
                seen = await viewer.rights.seen(namespaces_of(state.history.recent[-1])) if viewer.rights else None
            except RemoraError as error:
                return (self._notes((), str(error)), *(Leaf(id, f'<div id="{id}"></div>') for id in ids))
            key = (ids, state.number, seen, tuple(sorted(query.items())), extra)
            if (made := self._made.get(key)) is None:
                told = self._notes(state.notes, state.trouble) if seen is None else self._hidden_notes(state)
                made = (told, *make(state, seen, query))
                self._made[key] = made
                while len(self._made) > _MADE:
                    self._made.popitem(last=False)
            return made

        return roots

    def _hidden_notes(self, state: State) -> Leaf:
        """That something is amiss, without the names and addresses of controllers."""
        missing = ("A controller does not answer: figures are not complete.",) if state.notes else ()
        return self._notes(missing, "No controller answers: figures are old." if state.trouble else "")

    def _notes(self, notes: tuple[str, ...], trouble: str) -> Leaf:
        return Leaf("notes", self._site.fragment("notes.html", notes=notes, trouble=trouble))


@lru_cache(2000)
def _change(one: ChangeView) -> str:
    return str(_macros.change(one))  # type: ignore[attr-defined]


@lru_cache(2000)
def _problem(one: ProblemView) -> Leaf:
    id = element_id("x", one.object, one.field, one.code, one.message)
    return Leaf(id, str(_macros.problem(id, one)))  # type: ignore[attr-defined]


def _nothing(text: str) -> Leaf:
    return Leaf("listing-empty", str(_macros.empty("listing-empty", text)))  # type: ignore[attr-defined]


def _lines(text: str, between: str) -> tuple[str, ...]:
    return tuple(line for part in text.split(between) if (line := part.strip()))
