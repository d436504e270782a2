"""A small API server: lists in pages, watches with bookmarks and 410, merge patches, and what was asked of it."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from tests.support.trouble import Trouble

Object = dict[str, Any]

KINDS = {
    "ingresses": "Ingress",
    "ingressclasses": "IngressClass",
    "services": "Service",
    "endpointslices": "EndpointSlice",
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "pods": "Pod",
    "nodes": "Node",
    "events": "Event",
    "namespaces": "Namespace",
    "leases": "Lease",
}


class Access(NamedTuple):
    """A request as authorization sees it; `resource` has its subresource behind a slash."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


class FakeApi:
    """Objects by plural and (namespace, name). Change them with `put` and `remove`, so that watches are told."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], Object]] = defaultdict(dict)
        self.requests: list[str] = []
        self.accepted: dict[str, list[str]] = defaultdict(list)
        self.patches: list[tuple[str, Any]] = []
        self.forbidden: set[str] = set()
        self.may: Callable[[Access], bool] = lambda access: True
        self.denied: list[Access] = []
        self.trouble = Trouble()
        self.page = 0
        self.url = ""
        self._version = 100
        self._oldest = 0
        self._log: list[tuple[int, str, str, Object]] = []
        self._runner: web.AppRunner | None = None

    def put(self, plural: str, obj: Object) -> Object:
        """Creates or replaces an object."""
        meta = obj["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        known = key in self.objects[plural]
        self._version += 1
        stored = {**obj, "metadata": {"uid": f"uid-{meta['name']}", **meta, "resourceVersion": str(self._version)}}
        self.objects[plural][key] = stored
        self._log.append((self._version, plural, "MODIFIED" if known else "ADDED", stored))
        return stored

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Deletes an object."""
        self._version += 1
        gone = self.objects[plural].pop((namespace, name))
        self._log.append((self._version, plural, "DELETED", gone))

    def forget(self) -> None:
        """Makes every version of before unknown (410)."""
        self._version += 1
        self._oldest = self._version
        self._log.clear()

    def lists(self, plural: str) -> int:
        """How often a kind was listed."""
        return sum(1 for request in self.requests if request == f"list {plural}")

    async def start(self, port: int = 0) -> None:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Breaks all connections."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if status := await self.trouble.befall():
            return _status(status, "Trouble", f"the API server answers {status} for now")
        parts = request.path.strip("/").split("/")
        group, parts = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        plural, *rest = parts
        verb = _VERBS[request.method] if request.method != "GET" else _reading_verb(rest, request.query)
        access = Access(verb, group, "/".join((plural, *rest[1:])), namespace, rest[0] if rest else _selected(request.query))
        if not self.may(access):
            self.denied.append(access)
        if plural in self.forbidden or access in self.denied:
            return _status(403, "Forbidden", f"{plural} is forbidden")
        match request.method:
            case "GET" if rest:
                return self._one(plural, (namespace, rest[0]))
            case "GET" if request.query.get("watch"):
                self.requests.append(f"watch {plural}")
                self.accepted[plural].append(request.headers["Accept"])
                response = web.StreamResponse()
                with contextlib.suppress(ConnectionResetError):
                    await self._watch(request, response, plural, namespace)
                return response
            case "GET":
                self.requests.append(f"list {plural}")
                self.accepted[plural].append(request.headers["Accept"])
                return self._list(request, plural, namespace)
            case "POST":
                return self._create(plural, namespace, await request.json())
            case "PUT":
                return self._replace(plural, (namespace, rest[0]), await request.json())
            case _:
                return self._patch(plural, (namespace, rest[0]), "/".join(rest[1:]), await request.json())

    def _one(self, plural: str, key: tuple[str, str]) -> web.Response:
        found = self.objects[plural].get(key)
        return web.json_response(found) if found else _status(404, "NotFound", f"{plural} {key[1]} not found")

    def _list(self, request: web.Request, plural: str, namespace: str) -> web.Response:
        items = [obj for (place, _), obj in sorted(self.objects[plural].items()) if namespace in ("", place)]
        if name := _selected(request.query):
            items = [obj for obj in items if obj["metadata"]["name"] == name]
        wanted = [pair.split("=") for pair in request.query.get("labelSelector", "").split(",") if pair]
        items = [obj for obj in items if all(obj["metadata"].get("labels", {}).get(key) == text for key, text in wanted)]
        begin = int(request.query.get("continue", "0"))
        size = self.page or len(items) or 1
        meta = {"resourceVersion": str(self._version)}
        if begin + size < len(items):
            meta["continue"] = str(begin + size)
        return web.json_response({"kind": KINDS[plural] + "List", "metadata": meta, "items": items[begin : begin + size]})

    async def _watch(self, request: web.Request, response: web.StreamResponse, plural: str, namespace: str) -> None:
        since = int(request.query["resourceVersion"])
        await response.prepare(request)
        while self._runner and not await self.trouble.befall_watch():
            if since < self._oldest:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                await response.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
                break
            # What is put while a line is written is told in the next turn.
            now = self._version
            for version, of, event, obj in list(self._log):
                if version > since and of == plural and namespace in ("", obj["metadata"].get("namespace", "")):
                    line = json.dumps({"type": event, "object": obj}).encode() + b"\n"
                    for told in self.trouble.lines(line):
                        # In two pieces, since a stream knows no lines.
                        await response.write(told[:20])
                        await response.write(told[20:])
            if now > since:
                since = now
                mark = {"kind": KINDS[plural], "metadata": {"resourceVersion": str(since)}}
                await response.write(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")
            await asyncio.sleep(0.01)

    def _create(self, plural: str, namespace: str, obj: Object) -> web.Response:
        if (namespace, obj["metadata"]["name"]) in self.objects[plural]:
            return _status(409, "AlreadyExists", "already exists")
        obj["metadata"]["namespace"] = namespace
        return web.json_response(self.put(plural, obj), status=201)

    def _replace(self, plural: str, key: tuple[str, str], obj: Object) -> web.Response:
        if key not in self.objects[plural]:
            return _status(404, "NotFound", "not found")
        if obj["metadata"]["resourceVersion"] != self.objects[plural][key]["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        return web.json_response(self.put(plural, obj))

    def _patch(self, plural: str, key: tuple[str, str], subresource: str, patch: Object) -> web.Response:
        self.patches.append((f"{plural}/{key[0]}/{key[1]}/{subresource}", patch))
        if key not in self.objects[plural]:
            return _status(404, "NotFound", "not found")
        stored = self.objects[plural][key]
        metadata = {**stored["metadata"], **patch.get("metadata", {})}
        return web.json_response(self.put(plural, {**stored, **patch, "metadata": metadata}))


@asynccontextmanager
async def running_api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    await api.start()
    try:
        yield api
    finally:
        await api.stop()


_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


def _reading_verb(rest: Sequence[str], query: Mapping[str, str]) -> str:
    return "get" if rest else "watch" if query.get("watch") else "list"


def _selected(query: Mapping[str, str]) -> str:
    """The one object that a list or a watch is about, which authorization takes for its name."""
    return query.get("fieldSelector", "").partition("metadata.name=")[2]


def _status(code: int, reason: str, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "reason": reason, "message": message}, status=code)
