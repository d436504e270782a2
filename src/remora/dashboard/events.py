"""Server-sent events: what has changed in the live part of an open page, at most once a second."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from remora.core.errors import RemoraError
from remora.dashboard.fragments import Change, Placed, differences, render, to_wire
from remora.dashboard.site import OpenPage, Site
from remora.dashboard.viewer import Viewer

_HEARTBEAT = 15
"""Looks without a change after which a line is sent all the same, so that whoever has gone is noticed."""
_FORGOTTEN = b"event: reload\ndata:\n\n"


async def events(site: Site, request: Request) -> Response:
    """The stream of an open page. Whatever else its URL asks is asked of the page from now on (a filter, for one)."""
    viewer: Viewer = request.state.viewer
    query = dict(request.query_params)
    page = site.find_open(query.pop("page", ""), viewer)
    headers = {"X-Accel-Buffering": "no"}
    if page is None:
        return StreamingResponse(iter((_FORGOTTEN,)), media_type="text/event-stream", headers=headers)
    told = stream(page, query, pause=site.pause, is_in=request.state.is_in)
    return StreamingResponse(told, media_type="text/event-stream", headers=headers)


async def stream(
    page: OpenPage, query: dict[str, str], *, pause: float = 1.0, is_in: Callable[[], bool] = lambda: True
) -> AsyncIterator[bytes]:
    """Events, for as long as somebody reads them who has not signed out."""
    # What was under way when a stream broke is unknown, so that a second one begins with everything.
    if page.streams or query != page.query:
        page.shown = {}
    page.streams += 1
    page.query = query
    mine, quiet = page.streams, 0
    yield b"retry: 2000\n\n"
    while page.streams == mine:
        try:
            changes = await _changes(page)
        except RemoraError as error:
            yield _event("trouble", str(error).encode())
            changes = []
        quiet = 0 if changes else quiet + 1
        if changes:
            yield _event("changes", to_wire(changes))
        elif quiet % _HEARTBEAT == 0:
            yield b": still here\n\n"
        await asyncio.sleep(pause)
        if not is_in():
            yield _FORGOTTEN
            return


async def _changes(page: OpenPage) -> list[Change]:
    roots = await page.roots(page.viewer, page.query)
    changes: list[Change] = []
    for root in roots:
        before = page.shown.get(root.id)
        changes += [Placed(root.id, str(render(root)))] if before is None else differences(before, root)
    page.shown = {root.id: root for root in roots}
    return changes


def _event(name: str, data: bytes) -> bytes:
    lines = b"".join(b"data: %b\n" % line for line in data.split(b"\n"))
    return b"event: %b\n%b\n" % (name.encode(), lines)
