"""HTTP to the API server: lists in pages, watches as streams of lines, and the few writes of an Ingress controller."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.core.names import NamespacedName
from remora.kube.credentials import Connection
from remora.kube.objects import KubernetesObject
from remora.kube.resources import RESOURCES, Resource, Scope
from remora.kube.wire import Decoder, Page, WatchEvent, parse_status

REQUEST_TIMEOUT = 30.0
WATCH_SECONDS = 300
"""How long a watch is asked to live; an API server closes it then, and the next one goes on from the same place."""
WATCH_SILENCE = WATCH_SECONDS + 30.0
"""After so many seconds without a byte the connection is held for dead."""
PAGE = 500
_CHUNK = 1 << 16

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

K = TypeVar("K", bound=KubernetesObject)


class Answer(msgspec.Struct, frozen=True):
    """What the API server said to a request that it did: 201 tells that something is new."""

    status: int
    body: bytes


class ApiClient:
    """A client of one API server.

    All calls raise ApiServerUnreachable (no answer, a broken connection) or ApiServerRefused (an error status).
    """

    def __init__(self, connection: Connection, session: aiohttp.ClientSession) -> None:
        self._connection = connection
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, connection: Connection) -> AsyncIterator["ApiClient"]:
        """A client with a connection pool of its own."""
        connector = aiohttp.TCPConnector(limit=0, ssl=connection.ssl_context or True)
        headers = {"Accept": "application/json", "User-Agent": "remora"}
        async with aiohttp.ClientSession(connector=connector, headers=headers, auto_decompress=True) as session:
            yield cls(connection, session)

    async def fetch(self, kind: type[K], name: NamespacedName) -> K:
        """One object."""
        body = (await self._send("GET", RESOURCES[kind].path(name.namespace, name.name))).body
        return _decode(body, kind)

    async def read(self, path: str) -> bytes:
        """What a GET of the path, with its query, answers."""
        return (await self._send("GET", path)).body

    async def has(self, resource: Resource, name: NamespacedName) -> bool:
        """Whether an object exists."""
        try:
            await self._send("GET", resource.path(name.namespace, name.name))
        except ApiServerRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def list_pages(self, scope: Scope, decoder: Decoder) -> AsyncIterator[Page]:
        """Everything in the scope, in parts of pages; the last one's resourceVersion is that of the whole.

        Whatever else there is to do gets its turn between two of them.
        """
        continuation = ""
        while True:
            query = {"limit": str(PAGE), **scope.selectors} | ({"continue": continuation} if continuation else {})
            body = (await self._send("GET", scope.path, query=query, headers=_accepting(scope, listing=True))).body
            try:
                for page in decoder.parts(body):
                    yield page
                    await asyncio.sleep(0)
            except msgspec.MsgspecError as error:
                raise ApiServerUnreachable(f"{scope.path}: the answer is no list: {error}") from error
            continuation = page.continuation
            if not continuation:
                return

    async def watch(self, scope: Scope, decoder: Decoder, *, since: str) -> AsyncIterator[WatchEvent]:
        """What happens in the scope after resourceVersion `since`; ends when the API server ends it."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since, **scope.selectors}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT, sock_read=WATCH_SILENCE)
        headers = _accepting(scope, listing=False)
        try:
            async with self._reading(scope.path, query, timeout, headers) as content:
                async for line in _lines(content):
                    yield decoder.event(line)
        except msgspec.MsgspecError as error:
            raise ApiServerUnreachable(f"{scope.path}: a line of the watch is no event: {error}") from error

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> bytes:
        """Creates an object; returns it as the API server has it."""
        return (await self._send("POST", resource.path(namespace), body=body)).body

    async def replace(self, resource: Resource, name: NamespacedName, body: Mapping[str, Any]) -> bytes:
        """Replaces an object whose version is still that of the body; returns it as the API server has it."""
        return (await self._send("PUT", resource.path(name.namespace, name.name), body=body)).body

    async def patch(
        self, resource: Resource, name: NamespacedName, body: Mapping[str, Any], *, subresource: str = "", manager: str = ""
    ) -> bytes:
        """A merge patch (RFC 7396) of an object or of its subresource; returns it as the API server has it.

        The fields belong to `manager` from then on, or without one to whom the User-Agent names.
        """
        path = resource.path(name.namespace, name.name) + (f"/{subresource}" if subresource else "")
        query = {"fieldManager": manager} if manager else None
        return (await self._send("PATCH", path, query=query, body=body, content_type=MERGE_PATCH)).body

    async def patch_path(self, path: str, body: Mapping[str, Any]) -> bytes:
        """A merge patch of the object at a path."""
        return (await self._send("PATCH", path, body=body, content_type=MERGE_PATCH)).body

    async def delete(self, path: str) -> bytes:
        """Deletes the object at a path."""
        return (await self._send("DELETE", path)).body

    async def apply(self, path: str, body: Mapping[str, Any], query: Mapping[str, str]) -> Answer:
        """Server-side apply of an object; the query names the field manager, and says whether it is tried only."""
        return await self._send("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The lines of an answer that may never end: a watch, or a log that is followed."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT)
        async with self._reading(path, query, timeout) as content:
            async for line in _lines(content):
                yield line

    async def chunks(self, path: str, query: Mapping[str, str], *, silence: float) -> AsyncIterator[bytes]:
        """The bytes of an answer that may never end, as they come; after `silence` seconds without any it counts as broken."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_TIMEOUT, sock_read=silence)
        async with self._reading(path, query, timeout) as content:
            while chunk := await content.read(_CHUNK):
                yield chunk

    @asynccontextmanager
    async def _reading(
        self, path: str, query: Mapping[str, str], timeout: aiohttp.ClientTimeout, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """The content of an answer that is read while it comes."""
        try:
            async with await self._request("GET", path, query=query, timeout=timeout, headers=headers) as response:
                if response.status != 200:
                    raise _refused(response.status, await response.read())
                yield response.content
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(self._connection.server, error) from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        data = None if body is None else msgspec.json.encode(body)
        sent = dict(headers or {}) | ({} if data is None else {"Content-Type": content_type})
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
        try:
            async with await self._request(method, path, query=query, timeout=timeout, data=data, headers=sent) as response:
                answer = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(self._connection.server, error) from error
        if response.status >= 300:
            raise _refused(response.status, answer)
        return Answer(response.status, answer)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> aiohttp.ClientResponse:
        sent = dict(headers or {})
        if authorization := await self._connection.authorize():
            sent["Authorization"] = authorization
        url = URL(self._connection.server + path)
        name = self._connection.server_name or None
        return await self._session.request(
            method,
            url,
            params=query,
            data=data,
            headers=sent,
            timeout=timeout,
            server_hostname=name,
            proxy=self._connection.proxy or None,
            allow_redirects=False,
        )


def _accepting(scope: Scope, *, listing: bool) -> Mapping[str, str]:
    return {"Accept": RESOURCES[scope.kind].accept(listing=listing)}


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: an object may be larger than any buffer."""
    rest = bytearray()
    while chunk := await stream.read(_CHUNK):
        rest += chunk
        if b"\n" in chunk:
            *lines, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in lines:
                if line.strip():
                    yield line
    if rest.strip():
        yield bytes(rest)


def _decode(body: bytes, kind: type[K]) -> K:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise ApiServerUnreachable(f"the answer is no {kind.__name__}: {error}") from error


def _refused(status: int, body: bytes) -> ApiServerRefused:
    told = parse_status(body, status)
    causes = tuple((cause.field, cause.message) for cause in told.details.causes) if told.details else ()
    return ApiServerRefused(status=status, reason=told.reason or "Error", message=told.message, causes=causes)


def _unreachable(server: str, error: Exception) -> ApiServerUnreachable:
    return ApiServerUnreachable(f"{server}: {error or type(error).__name__}")
