"""Caddy of Debian, given JSON by its administration API: a route for each host, and the selection policy `cookie`.

A change is the whole configuration again (POST /load), which Caddy takes without a restart. It knows no pod that is going:
one that takes no new sessions is no longer named.
"""

import asyncio
import http.client
import json
from collections.abc import Sequence
from typing import Any

from bench.measuring import version_of
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Proxy, Route, Site, free_ports, program

Object = dict[str, Any]


class Caddy(Proxy):
    name = "Caddy"
    settings = "GOMAXPROCS=1, 512 idle connections to each pod, no access log, JSON by its API; a matcher of one host a route"

    @classmethod
    def missing(cls) -> str:
        return "" if program("caddy") else "apt-get install -y caddy (only its binary is used)"

    @classmethod
    def version(cls) -> str:
        return f"Caddy {version_of(str(program('caddy')), 'version').partition(' ')[0]}"

    def start(self, site: Site) -> None:
        self._admin = free_ports(1)[0]
        directory = self.place.directory
        file = directory / "caddy.json"
        file.write_text(json.dumps(self._config(site)))
        homes = {name: str(directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        self.children.start("caddy", str(program("caddy")), "run", "--config", str(file), GOMAXPROCS="1", **homes)
        self._site = site

    def processes(self) -> Sequence[int]:
        return (self.children.pid("caddy"),)

    async def configure(self, site: Site) -> None:
        self._site = site
        await asyncio.to_thread(self._load, json.dumps(self._config(site)).encode())

    async def reload(self) -> bool:
        await self.configure(self._site)
        return True

    def _load(self, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin, timeout=60)
        headers = {"Content-Type": "application/json", "Cache-Control": "must-revalidate"}
        connection.request("POST", "/load", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text

    def _config(self, site: Site) -> Object:
        place = self.place
        routes = [_route(route, site) for route in site.routes]
        quiet = {"automatic_https": {"disable": True}, "routes": routes}
        servers = {
            "web": {"listen": [f"127.0.0.1:{place.http}"], **quiet},
            "websecure": {"listen": [f"127.0.0.1:{place.https}"], "tls_connection_policies": [{}], **quiet},
        }
        pair = {"certificate": str(place.certificate), "key": str(place.certificate), "tags": ["bench"]}
        return {
            "admin": {"listen": f"127.0.0.1:{self._admin}", "config": {"persist": False}},
            "logging": {"logs": {"default": {"level": "ERROR"}}},
            "apps": {"http": {"servers": servers}, "tls": {"certificates": {"load_files": [pair]}}},
        }


def _route(route: Route, site: Site) -> Object:
    proxy: Object = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{pod.address}:{route.port}"} for pod in site.taking],
        "transport": {
            "protocol": "http",
            "compression": False,
            "keep_alive": {"max_idle_conns": 4096, "max_idle_conns_per_host": 512},
        },
        "load_balancing": {"selection_policy": {"policy": "round_robin"}, "retries": 2},
        # Without it a session's retry goes to the same pod again.
        "health_checks": {"passive": {"fail_duration": "2s", "max_fails": 1}},
        "headers": {"request": {"set": {"X-Real-Ip": ["{http.request.remote.host}"]}}},
    }
    if route.sticky:
        policy = {"policy": "cookie", "name": COOKIE, "secret": "bench"}
        proxy["load_balancing"]["selection_policy"] = policy
    handlers = [*_shape(), proxy] if route.shaped else [proxy]
    return {"match": [{"host": [route.host]}], "handle": handlers, "terminal": True}


def _shape() -> list[Object]:
    cors = {
        "Access-Control-Allow-Origin": [ORIGIN],
        "Access-Control-Allow-Credentials": ["true"],
        "Access-Control-Allow-Methods": ["GET, PUT, POST"],
        "Access-Control-Max-Age": ["600"],
    }
    from_page = {"header": {"Origin": [ORIGIN]}}
    added = {"handler": "headers", "response": {"set": {ADDED_HEADER[0]: [ADDED_HEADER[1]]}}}
    preflight = {
        "match": [{"method": ["OPTIONS"], **from_page}],
        "handle": [{"handler": "static_response", "status_code": 204}],
    }
    allowed = {"match": [from_page], "handle": [{"handler": "headers", "response": {"set": cors}}]}
    return [added, {"handler": "subroute", "routes": [allowed, preflight]}, {"handler": "rewrite", "strip_path_prefix": PREFIX}]
