"""Logs of a pod: the last lines as a page, and what comes after them as server-sent events."""

from collections.abc import AsyncIterator
from itertools import chain

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from remora.core.errors import ApiServerError, ApiServerRefused
from remora.core.names import NamespacedName
from remora.dashboard.log_lines import MOST_LINES, Line, Lines, Wish, has_words, parse_wish
from remora.dashboard.site import Site
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_actions import refused
from remora.dashboard.workload_kinds import POD
from remora.dashboard.workload_objects import Pod
from remora.dashboard.workload_pages import name_of, viewer_of
from remora.dashboard.workloads import pod_path
from remora.kube.client import ApiClient

_SILENCE = 3600.0
"""Seconds without a line after which a log is asked for again; a quiet one is nothing bad."""
_AGAIN = 2000
"""Milliseconds after which a page asks again when a log has ended: the container may have restarted."""
_HEADERS = {"X-Accel-Buffering": "no"}


class LogPages:
    """`/pods/{namespace}/{name}/logs` and the stream behind it."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Where the pages are."""
        one = "/pods/{namespace}/{name}"
        return (Route(f"{one}/logs", self.page), Route(f"{one}/log-stream", self.stream))

    async def page(self, request: Request) -> Response:
        """The last lines; the page's script then follows the log."""
        viewer, name = viewer_of(request), name_of(request)
        client = _client(viewer)
        try:
            pod = msgspec.json.decode(await client.read(pod_path(name)), type=Pod)
        except ApiServerRefused as error:
            if error.status == 404:
                raise HTTPException(404) from error
            raise
        containers = tuple(one.name for one in (*pod.spec.containers, *pod.spec.init_containers))
        wish = parse_wish(request.query_params, containers)
        told, lines = None, list[Line]()
        try:
            lines = [line for line in await _fetch(client, name, wish) if has_words(line, wish.words)]
        except ApiServerError as error:
            told = refused("There is no log to show", error)
        return self._site.page(
            request,
            "logs.html",
            title=f"Logs of {name.name}",
            name=name,
            containers=containers,
            wish=wish,
            lines=lines,
            told=told,
            most=MOST_LINES,
        )

    async def stream(self, request: Request) -> Response:
        """The log as events; a browser that was cut off says after which line to go on."""
        viewer, name = viewer_of(request), name_of(request)
        wish = parse_wish(request.query_params, (request.query_params.get("container", ""),))
        after = request.headers.get("last-event-id", "")
        events = _events(_client(viewer), name, wish, after)
        return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _fetch(client: ApiClient, name: NamespacedName, wish: Wish) -> list[Line]:
    lines, found = Lines(), list[Line]()
    async for piece in client.chunks(_path(name), wish.parameters(follow=False), silence=30.0):
        found += lines.feed(piece)
    return [*found, *lines.end()]


async def _events(client: ApiClient, name: NamespacedName, wish: Wish, after: str) -> AsyncIterator[bytes]:
    lines = Lines(after)
    yield b"retry: %d\n\n" % _AGAIN
    try:
        async for piece in client.chunks(_path(name), wish.parameters(follow=True, since=after), silence=_SILENCE):
            if found := list(lines.feed(piece)):
                yield _event("lines", found)
        if found := list(lines.end()):
            yield _event("lines", found)
        yield _event("ended", [])
    except ApiServerRefused as error:
        # What is gone does not come back; what is refused for the moment (a container that waits to start) does.
        kind = "gone" if error.status in (403, 404) else "trouble"
        yield _event(kind, [Line("", error.message)])
    except ApiServerError as error:
        yield _event("trouble", [Line("", str(error))])


def _event(kind: str, lines: list[Line]) -> bytes:
    last = next((line.at for line in reversed(lines) if line.at), "")
    head = [b"event: %b" % kind.encode(), *([b"id: %b" % last.encode()] if last else [])]
    return b"\n".join(chain(head, (b"data: %b" % msgspec.json.encode(lines), b"", b"")))


def _client(viewer: Viewer) -> ApiClient:
    assert viewer.client is not None
    return viewer.client


def _path(name: NamespacedName) -> str:
    return f"{POD.resource.path(name.namespace, name.name)}/log"
