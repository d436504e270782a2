"""A stand-in for ingress-nginx, written from its description: its routes, its own answers, and the cookies that it honours."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.support.ingress_nginx import Ring, backend_key, persistent_key

PREFIX = "nginx.ingress.kubernetes.io/"
_PAGES = {301: "Moved Permanently", 302: "Found", 308: "Permanent Redirect", 401: "Authorization Required", 403: "Forbidden",
          404: "Not Found", 503: "Service Temporarily Unavailable"}  # fmt: skip
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Route:
    """A path of a rule."""

    def __init__(self, ingress: Mapping[str, Any], host: str, path: Mapping[str, Any]) -> None:
        metadata = ingress["metadata"]
        self.host = host
        self.path: str = path["path"]
        self.type: str = path["pathType"]
        self.said = {key.removeprefix(PREFIX): text for key, text in (metadata.get("annotations") or {}).items()}
        service = path["backend"]["service"]
        self.backend = f"{metadata['namespace']}-{service['name']}-{service['port']['number']}"
        self.has_certificate = any(host in (one.get("hosts") or ()) for one in ingress["spec"].get("tls") or ())
        self.keys = itertools.count(1)

    def takes(self, host: str, path: str) -> bool:
        """Whether a request is the route's."""
        wild = self.host.startswith("*.") and host.partition(".")[2] == self.host[2:]
        if host != self.host and not wild and host != self.said.get("server-alias"):
            return False
        if self.said.get("use-regex") == "true":
            return re.match(self.path, path, re.IGNORECASE) is not None
        if self.type == "Exact":
            return path == self.path
        return path == self.path or path.startswith(f"{self.path.rstrip('/')}/")


class OldController:
    """Serves Ingresses; every Service has the same pods, `address:port` each."""

    def __init__(self, ingresses: Sequence[Mapping[str, Any]], pods: Sequence[str]) -> None:
        self.requests = 0
        self.port = 0
        self._pods = list(pods)
        self._ring = Ring(*pods)
        self._next = itertools.cycle(pods)
        routes = [
            Route(one, rule["host"], path)
            for one in ingresses
            if (one["metadata"].get("annotations") or {}).get(f"{PREFIX}canary") != "true"
            for rule in one["spec"]["rules"]
            for path in rule["http"]["paths"]
        ]
        self._routes = sorted(routes, key=lambda one: (one.type != "Exact", -len(one.path)))
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)

    async def stop(self) -> None:
        if self._runner and self._session:
            await self._session.close()
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        host = request.host.partition(":")[0]
        route = next((one for one in self._routes if one.takes(host, request.path)), None)
        return _page(404) if route is None else (_own_answer(route, request) or await self._forward(route, request))

    async def _forward(self, route: Route, request: web.Request) -> web.StreamResponse:
        assert self._session
        pod, cookie = self._choose(route, request)
        path = request.raw_path
        if target := route.said.get("rewrite-target"):
            path = re.sub(rf"(?i)^{route.path}.*", target.replace("$", "\\"), path)
        async with self._session.request(
            request.method, URL(f"http://{pod}{path}", encoded=True), allow_redirects=False
        ) as found:
            body = await found.read()
            headers = CIMultiDict((key, text) for key, text in found.headers.items() if key.lower() not in _HOP)
        if cookie:
            headers.add("Set-Cookie", cookie)
        if route.said.get("enable-cors") == "true" and (origin := request.headers.get("Origin")):
            headers["Access-Control-Allow-Origin"] = origin
        if "more_set_headers" in route.said.get("configuration-snippet", ""):
            headers["X-Frame-Options"] = "DENY"
        return web.Response(status=found.status, body=body, headers=headers)

    def _choose(self, route: Route, request: web.Request) -> tuple[str, str]:
        """The pod, and the cookie to set if there is one to set."""
        said = route.said
        if said.get("affinity") != "cookie":
            return next(self._next), ""
        name = said.get("session-cookie-name", "INGRESSCOOKIE")
        key, _, backend = request.cookies.get(name, "").partition("|")
        is_known = backend == backend_key(route.backend)
        if said.get("affinity-mode") == "persistent":
            owner = next((pod for pod in self._pods if persistent_key(route.backend, pod) == key), None) if is_known else None
            if owner:
                return owner, ""
            pod = next(self._next)
            return pod, _cookie(route, name, persistent_key(route.backend, pod))
        if is_known and key:
            return self._ring.owner(key), ""
        key = f"1700000000.123.{next(route.keys)}.{len(route.host)}"
        return self._ring.owner(key), _cookie(route, name, key)


def _cookie(route: Route, name: str, key: str) -> str:
    said = route.said
    parts = [f"{name}={key}|{backend_key(route.backend)}"]
    if "session-cookie-expires" in said:
        parts.append("Expires=Thu, 01 Jan 2037 00:00:00 GMT")
    if "session-cookie-max-age" in said:
        parts.append(f"Max-Age={said['session-cookie-max-age']}")
    parts.append(f"Path={said.get('session-cookie-path') or route.path}")
    if said.get("session-cookie-secure") == "true":
        parts.append("Secure")
    parts.append("HttpOnly")
    if same_site := said.get("session-cookie-samesite"):
        parts.append(f"SameSite={same_site}")
    return "; ".join(parts)


def _own_answer(route: Route, request: web.Request) -> web.Response | None:
    """What the controller answers itself."""
    said = route.said
    if "whitelist-source-range" in said and "127.0.0.0/8" not in said["whitelist-source-range"]:
        return _page(403)
    if "auth-type" in said:
        return _page(401, {"WWW-Authenticate": f'Basic realm="{said["auth-realm"]}"'})
    if route.has_certificate and said.get("ssl-redirect") != "false":
        return _page(308, {"Location": f"https://{request.host}{request.raw_path.removesuffix('/')}"})
    for name, status in (("permanent-redirect", 301), ("temporal-redirect", 302)):
        if name in said:
            return _page(status, {"Location": said[name]})
    if "app-root" in said and request.path == "/":
        return _page(302, {"Location": f"http://{request.host}{said['app-root']}"})
    return None


def _page(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    title = f"{status} {_PAGES[status]}"
    text = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    return web.Response(
        status=status,
        text=f"{text}<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
        content_type="text/html",
        headers=headers,
    )
