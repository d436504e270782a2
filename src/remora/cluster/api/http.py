"""The API as an ASGI application: who asks, for what, which handler answers, and how the answer goes out."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from remora.cluster.api import (
    handlers_binding,
    handlers_metrics,
    handlers_proxy,
    handlers_read,
    handlers_streams,
    handlers_subresources,
    handlers_write,
)
from remora.cluster.api.admission.subresources import review_subresource
from remora.cluster.api.authorization.attributes import attributes_of
from remora.cluster.api.authorization.authorizer import MASTERS
from remora.cluster.api.authorization.impersonation import impersonated
from remora.cluster.api.caller import Caller, set_caller
from remora.cluster.api.errors import ApiError, bad_request, method_not_allowed, unauthorized, unknown_resource
from remora.cluster.api.handlers import Api, Call, Handler
from remora.cluster.api.http_message import MOST_BODY, Request, Response, object_response, parse_query, render_warning
from remora.cluster.api.http_meta import PUBLIC, answer_meta, not_found
from remora.cluster.api.http_path import Address, parse_path
from remora.cluster.api.negotiation import negotiate
from remora.cluster.api.resources import Resource
from remora.cluster.api.reviews import review
from remora.cluster.api.streams.connection import Gone, Receive, Send, serve_websocket
from remora.cluster.api.tokens import Identity, TokenError

PEER = "remora.peer"
"""Extension of the ASGI scope: under `identity`, whom a verified client certificate names, or None; under `take_over`, what
answers 101 with a protocol's name and gives the bare connection; under `ping`, of a WebSocket, what waits until its client
reads."""

Scope = Mapping[str, Any]

_log = logging.getLogger(__name__)
_ALSO_CREATED = frozenset({"pods/attach", "pods/exec", "pods/portforward"})
"""Who only reads starts nothing, although a WebSocket begins like reading (Kubernetes 1.35)."""
_ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",))

_COLLECTION: Mapping[str, tuple[str, Handler]] = {
    "GET": ("list", handlers_read.read_list),
    "POST": ("create", handlers_write.create),
    "DELETE": ("deletecollection", handlers_write.delete_collection),
}
_OBJECT: Mapping[str, tuple[str, Handler]] = {
    "GET": ("get", handlers_read.read_one),
    "PUT": ("update", handlers_write.update),
    "PATCH": ("patch", handlers_write.patch_object),
    "DELETE": ("delete", handlers_write.delete),
}


def _part(name: str) -> Mapping[str, Handler]:
    return {
        "GET": handlers_read.read_one,
        "PUT": handlers_write.update_part(name),
        "PATCH": handlers_write.patch_part(name),
    }


_SUBRESOURCES: Mapping[str, Mapping[str, Handler]] = {
    "approval": _part("approval"),
    "ephemeralcontainers": _part("ephemeralcontainers"),
    "resize": _part("resize"),
    "status": _part("status"),
    "scale": {
        "GET": handlers_subresources.read_scale,
        "PUT": handlers_subresources.update_scale,
        "PATCH": handlers_subresources.patch_scale,
    },
    "binding": {"POST": handlers_binding.bind},
    "attach": dict.fromkeys(("GET", "POST"), handlers_streams.attach),
    "exec": dict.fromkeys(("GET", "POST"), handlers_streams.execute),
    "portforward": dict.fromkeys(("GET", "POST"), handlers_streams.forward_ports),
    "log": {"GET": handlers_subresources.read_log},
    "proxy": dict.fromkeys(handlers_proxy.METHODS, handlers_proxy.pass_on),
    "eviction": {"POST": handlers_subresources.evict},
    "token": {"POST": handlers_subresources.create_token},
    "finalize": {"PUT": handlers_write.update_part("finalize")},
}


class Application:
    """Called by the HTTP server for every request."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return
        try:
            response = await self._answer(scope, receive)
            await self._api.registry.settled()
        except ApiError as error:
            response = _error_response(error)
        except RecursionError:
            response = _error_response(bad_request("the object provided is unrecognized: exceeded max depth"))
        except Exception:  # a fault of ours must not look like a broken connection
            _log.exception("%s %s failed", scope["method"], scope["path"])
            response = _error_response(ApiError(500, "InternalError", "Internal error occurred: see the API server's log"))
        await _deliver(response, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        headers = _joined_headers(scope["headers"])
        path = scope["path"]
        query_string = scope["query_string"].decode("latin-1")
        query = parse_query(query_string)
        address = parse_path(scope.get("raw_path", path.encode()).decode("latin-1"))
        request = Request(
            method=scope.get("method", "GET"),
            path=path,
            query=query,
            query_string=query_string,
            headers=headers,
            body=b"" if scope["type"] == "websocket" else await _read_body(receive),
            identity=self._authorized(scope, headers, address, query),
        )
        if address is None or not address.plural:
            if request.method not in ("GET", "HEAD"):
                raise method_not_allowed()
            return answer_meta(request, self._api.registry.resources, self._api.address)
        return await self._answer_resource(request, address)

    async def _answer_resource(self, request: Request, address: Address) -> Response:
        table = self._api.registry.resources
        row = table.find_by_path(address.group, address.version, address.plural)
        if row is None:
            if not table.of(address.group, address.version):
                return not_found()
            raise unknown_resource()
        handler = _find_handler(row, address, request.method)
        form = negotiate(request.headers.get("accept", ""))
        warnings: list[str] = []
        set_caller(Caller(request.identity, row, address.subresource, warnings))
        if address.subresource:
            place = {"name": address.name, "namespace": address.namespace}
            given = parse_qsl(request.query_string, keep_blank_values=True)
            await review_subresource(self._api.reviewer, row, place, address.subresource, query=given, body=request.body)
        response = await handler(Call(api=self._api, request=request, address=address, row=row, form=form))
        if not warnings:
            return response
        more = tuple(("warning", render_warning(text)) for text in dict.fromkeys(warnings))
        return msgspec.structs.replace(response, headers=(*response.headers, *more))

    def _authorized(
        self, scope: Scope, headers: Mapping[str, str], address: Address | None, query: Mapping[str, str]
    ) -> Identity:
        """On whose behalf the request is answered.

        Raises:
            ApiError: Unauthorized or Forbidden.
        """
        path, authorizer = scope["path"], self._api.authorizer
        identity = impersonated(authorizer, self._identity(scope, headers, path), scope["headers"])
        if MASTERS not in identity.groups and path not in PUBLIC:
            # A WebSocket begins with a GET.
            asked = attributes_of(scope.get("method", "GET"), path, address, query)
            authorizer.check(identity, asked)
            if asked.verb == "get" and asked.combined in _ALSO_CREATED:
                authorizer.check(identity, msgspec.structs.replace(asked, verb="create"))
        return identity

    def _identity(self, scope: Scope, headers: Mapping[str, str], path: str) -> Identity:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            try:
                return self._api.tokens.verify(token.strip())
            except TokenError:
                raise unauthorized() from None
        peer: Identity | None = scope.get("extensions", {}).get(PEER, {}).get("identity")
        if peer is None and path not in PUBLIC:
            raise unauthorized()
        return self._api.authorizer.person(peer) if peer else _ANONYMOUS


def _find_handler(row: Resource, address: Address, method: str) -> Handler:
    if bool(address.namespace) and not row.namespaced:
        raise unknown_resource()
    if address.name and row.namespaced and not address.namespace:
        raise unknown_resource()
    if address.subresource:
        return _find_subresource(row, address.subresource, method)
    verb, handler = (_OBJECT if address.name else _COLLECTION).get(method, ("", review))
    if verb not in row.verbs:
        raise method_not_allowed()
    if row.is_review:
        return handlers_binding.bind if row.kind == "Binding" else review
    if row.group == handlers_metrics.GROUP:
        return handlers_metrics.read_one if address.name else handlers_metrics.read_list
    return handler


def _find_subresource(row: Resource, name: str, method: str) -> Handler:
    if name not in row.subresources:
        raise unknown_resource()
    handler = _SUBRESOURCES[name].get(method)
    if handler is None:
        raise method_not_allowed()
    return handler


def _error_response(error: ApiError) -> Response:
    return object_response(error.to_wire(), status=error.status)


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BODY:
            message_text = f"Request entity too large: limit is {MOST_BODY}"
            raise ApiError(413, "RequestEntityTooLarge", message_text, details={})
        if not message.get("more_body"):
            return bytes(body)


def _joined_headers(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers that were sent several times are one list (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _deliver(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    session, is_websocket = response.session, scope["type"] == "websocket"
    if session is None:
        await (_refuse_websocket(response, send) if is_websocket else _send(response, receive, send))
    elif is_websocket:
        await serve_websocket(session, receive, send, scope["extensions"][PEER]["ping"])
    else:
        with contextlib.suppress(Gone):
            await session.run(scope["extensions"][PEER]["take_over"](session.protocol))


async def _refuse_websocket(response: Response, send: Send) -> None:
    """An answer instead of the upgrade; those that come in pieces, such as watches, are not given this way."""
    if not isinstance(response.body, bytes):
        response = _error_response(bad_request("this is not answered by WebSocket"))
    headers = [(b"content-type", response.content_type.encode())]
    await send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})


@lru_cache(2)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


async def _send(response: Response, receive: Receive, send: Send) -> None:
    named = (("content-type", response.content_type), ("date", _date(int(time.time()))), *response.headers)
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in named]
    start = {"type": "http.response.start", "status": response.status, "headers": headers}
    if isinstance(response.body, bytes):
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send(start)
        await send({"type": "http.response.body", "body": response.body})
        return
    await send(start)
    # Clients wait for the headers of a watch before anything has happened.
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await _send_pieces(response.body, receive, send)


async def _send_pieces(pieces: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
    """Sends until there is no more, or the client has gone."""
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(_until_disconnected(receive))
        sender = group.create_task(_forward(pieces, send))
        watcher.add_done_callback(lambda _: sender.cancel())
        sender.add_done_callback(lambda _: watcher.cancel())


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _forward(pieces: AsyncIterator[bytes], send: Send) -> None:
    try:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except ApiError as error:  # too late to tell the client otherwise than by ending
        _log.info("an answer ended early: %s", error)
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
    await send({"type": "http.response.body", "body": b""})
