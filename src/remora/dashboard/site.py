"""The frame of all pages: templates, navigation, and the pages with a live part.

A part of the dashboard (traffic, workloads) is a `Part`: its routes, its entries in the navigation, and its live pages. A live
page says what it shows as a tree of elements (`fragments`); the frame renders it, keeps it up to date in the browser, and sends
only what has changed.
"""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from remora.dashboard.fragments import Element, Shell, render
from remora.dashboard.viewer import Viewer

_OPEN_PAGES = 500
"""Pages of which it is known what they show; one that has been forgotten loads itself again."""

Query = Mapping[str, str]
Roots = Callable[[Viewer, Query], Awaitable[Sequence[Element]]]
"""What a live page shows to a viewer; the query is that of its URL. The elements' ids are the same each time."""


class Entry(msgspec.Struct, frozen=True):
    """A line of the navigation."""

    path: str
    title: str


class Part(msgspec.Struct, frozen=True):
    """What a part of the dashboard adds to it."""

    entries: tuple[Entry, ...] = ()
    routes: tuple[Route, ...] = ()


class OpenPage:
    """A page in a browser: how its live part is made anew, and what was last sent of it."""

    def __init__(self, viewer: Viewer, roots: Roots, query: Query, shown: Sequence[Element]) -> None:
        self.viewer = viewer
        self.roots = roots
        self.query = query
        self.shown = {root.id: root for root in shown}
        self.streams = 0


class Site:
    """Renders pages and remembers which are open."""

    def __init__(self, *, title: str = "", pause: float = 1.0) -> None:
        """`pause` is the time in seconds between two looks at what an open page shows."""
        self.pause = pause
        self.title = title
        self.entries: list[Entry] = []
        self._open: OrderedDict[str, OpenPage] = OrderedDict()
        self.templates = environment()

    def page(self, request: Request, template: str, *, title: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of the template (which extends `base.html`) with these values."""
        viewer: Viewer | None = request.state.viewer
        path = request.url.path
        chosen = max((entry.path for entry in self.entries if _is_under(path, entry.path)), key=len, default="")
        text = self.templates.get_template(template).render(
            {"live": ""} | values,
            title=title,
            site=self,
            viewer=viewer,
            chosen=values.get("chosen", chosen),
            csrf=viewer.csrf if viewer else "",
        )
        return HTMLResponse(text, status)

    async def live_page(
        self, request: Request, template: str, roots: Roots, *, title: str, query: Query | None = None, **values: Any
    ) -> HTMLResponse:
        """A page with a live part: the template gets `roots`, the rendered elements by their ids, and shows each once."""
        viewer: Viewer = request.state.viewer
        asked = dict(request.query_params) if query is None else query
        shown = await roots(viewer, asked)
        key = secrets.token_urlsafe(12)
        self._open[key] = OpenPage(viewer, roots, asked, shown)
        while len(self._open) > _OPEN_PAGES:
            self._open.popitem(last=False)
        elements = {root.id: render(root) for root in shown}
        return self.page(request, template, title=title, live=key, roots=elements, query=asked, **values)

    def find_open(self, key: str, viewer: Viewer) -> OpenPage | None:
        """The open page with that key, if it is this viewer's."""
        found = self._open.get(key)
        if found is None or found.viewer is not viewer:
            return None
        self._open.move_to_end(key)
        return found

    def fragment(self, template: str, **values: Any) -> str:
        """The text of a small template, for a leaf."""
        return self.templates.get_template(template).render(values).strip()


def environment() -> jinja2.Environment:
    """Where templates come from; everything in them is escaped, and what is not given is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("remora.dashboard"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    return made


def shell(tag: str, id: str, children: Sequence[Element], **attributes: str) -> Shell:
    """An element around others; a name's underscore stands for a hyphen, and `class_` is `class`."""
    words = {"id": id} | {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()}
    opening = Markup("<{}{}>").format(tag, Markup("").join(Markup(' {}="{}"').format(*word) for word in words.items()))
    return Shell(id, str(opening), f"</{tag}>", tuple(children))


def _is_under(path: str, entry: str) -> bool:
    return path == entry or (entry != "/" and path.startswith(f"{entry}/"))
