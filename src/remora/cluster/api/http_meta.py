"""Everything that is not a resource: version, health, discovery and OpenAPI."""

from remora.cluster.api import discovery, openapi
from remora.cluster.api.errors import Object, not_acceptable, unknown_resource
from remora.cluster.api.http_message import Request, Response, object_response, text_response
from remora.cluster.api.negotiation import JSON, is_discovery_aggregated, parse_accept
from remora.cluster.api.resources import ResourceTable

PUBLIC = frozenset({"/version", "/healthz", "/livez", "/readyz"})
"""What anybody may ask."""

_HEALTH = PUBLIC - {"/version"}
_CHECKS = ("ping", "log", "store")

VERSION: Object = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0+remora",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_V2_TYPES = ("application/json", "*/*", "application/*", "")
_V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_V2_PROTOBUF_SENT = _V2_PROTOBUF.replace("@", ".")
"""As Kubernetes sends it: what clients ask for is no media type by RFC 6838."""


def not_found() -> Response:
    return text_response("404 page not found\n", 404)


def answer_meta(request: Request, table: ResourceTable, address: str) -> Response:
    """The answer to a GET that names no resource; `address` is host and port of this server."""
    path = request.path.rstrip("/") or "/"
    if path in _HEALTH:
        return _health(path, is_verbose="verbose" in request.query)
    if path == "/version":
        return object_response(VERSION)
    if path.startswith("/openapi/"):
        return _openapi(request, table, path)
    if path in ("/api", "/apis"):
        return _groups(request, table, path, address)
    if path == "/":
        return object_response({"paths": sorted([*PUBLIC, "/api", "/apis", "/openapi/v2", "/openapi/v3"])})
    return _described(table, path)


def _health(path: str, *, is_verbose: bool) -> Response:
    """A server that answers is well: what it needs is in its own process."""
    if not is_verbose:
        return text_response("ok")
    lines = [*(f"[+]{check} ok" for check in _CHECKS), f"{path.removeprefix('/')} check passed"]
    return text_response("".join(f"{line}\n" for line in lines))


def _groups(request: Request, table: ResourceTable, path: str, address: str) -> Response:
    is_core = path == "/api"
    if is_discovery_aggregated(request.headers.get("accept", "")):
        found = object_response(discovery.aggregated(table, core=is_core))
        return Response(content_type=_AGGREGATED, headers=(("vary", "Accept"),), body=found.body)
    listed = discovery.api_versions(address) if is_core else discovery.group_list(table)
    return object_response(listed)


def _described(table: ResourceTable, path: str) -> Response:
    parts = path.strip("/").split("/")
    found: Object | None = None
    if parts[0] == "api" and len(parts) == 2:
        found = discovery.find_resource_list(table, "", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        found = discovery.find_group(table, parts[1])
    elif parts[0] == "apis" and len(parts) == 3:
        found = discovery.find_resource_list(table, parts[1], parts[2])
    return not_found() if found is None else object_response(found)


def _openapi(request: Request, table: ResourceTable, path: str) -> Response:
    if path == "/openapi/v3":
        # Kubernetes calls it text, too.
        return object_response(openapi.index(table), media="text/plain; charset=utf-8")
    if path == "/openapi/v2":
        return _openapi_v2(request, table, path)
    document = openapi.find_document(table, path.removeprefix("/openapi/v3/"))
    if document is None:
        raise unknown_resource()
    return _document(request, table, path, document)


def _openapi_v2(request: Request, table: ResourceTable, path: str) -> Response:
    accepted = [media.name for media in parse_accept(request.headers.get("accept", ""))]
    if not accepted or any(name in _V2_TYPES for name in accepted):
        return _document(request, table, path, openapi.whole_document(table))
    if _V2_PROTOBUF in accepted:
        return Response(content_type=_V2_PROTOBUF_SENT, headers=(("vary", "Accept"),), body=openapi.DOCUMENT_WITHOUT_TYPES)
    raise not_acceptable([JSON, _V2_PROTOBUF])


def _document(request: Request, table: ResourceTable, path: str, document: bytes) -> Response:
    etag = openapi.etag(table, path)
    headers = [("etag", etag), ("vary", "Accept")]
    if "hash" in request.query:
        headers.append(("cache-control", "public, immutable, max-age=31536000"))
    if request.headers.get("if-none-match") == etag:
        return Response(status=304, headers=tuple(headers))
    return Response(headers=tuple(headers), body=document)
