"""`pods/proxy`, `services/proxy` and `nodes/proxy`: requests that the API server passes on.

A path is like `pods/[SCHEME:]NAME[:PORT]/proxy/PATH`. A service's request goes to one of its ready pods. A node answers a few
of the kubelet's paths itself. `kubectl get --raw` and `kubectl proxy` lead here.
"""

import re
from collections.abc import AsyncIterator, Mapping

import aiohttp
from yarl import URL

from remora.cluster.api.errors import ApiError, Object, bad_request
from remora.cluster.api.handlers import Call
from remora.cluster.api.handlers_metrics import pod_metrics
from remora.cluster.api.http_message import Response, object_response, text_response

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

_CONNECT_TIMEOUT = 10.0
_SILENCE = 60.0
"""Seconds for which an answer may pause."""
_CHUNK = 64 * 1024
_TARGET = re.compile(r"(?:(?P<scheme>https?):)?(?P<name>[^:/]+)(?::(?P<port>[0-9A-Za-z][0-9A-Za-z-]{0,62})?)?")
_OF_A_CONNECTION = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length")
"""Headers that are not passed on (RFC 9110, section 7.6.1)."""
_OF_THE_API = ("authorization", "host", "impersonate-user", "impersonate-group", "impersonate-uid")
"""Headers that are meant for the API server alone."""
_OURS = ("content-type", "date")
_SLICES = "endpointslices.discovery.k8s.io"
_OWNER = "kubernetes.io/service-name"


async def pass_on(call: Call) -> Response:
    if call.row.plural == "nodes":
        return await _answer_for_node(call)
    scheme, name, port = parse_target(call.name)
    found = call.find_named(name)
    host, number = _pod_address(found, port) if call.row.plural == "pods" else _service_address(call, found, port)
    url = URL.build(scheme=scheme, host=host, port=number)
    query = f"?{call.request.query_string}" if call.request.query_string else ""
    url = url.join(URL(f"/{call.address.rest}{query}", encoded=True))
    return await _ask(call, url)


async def _ask(call: Call, url: URL) -> Response:
    request = call.request
    headers = {name: value for name, value in request.headers.items() if name not in (*_OF_A_CONNECTION, *_OF_THE_API)}
    # Kubernetes does not check a pod's certificate here either.
    connector = aiohttp.TCPConnector(ssl=False)
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT, sock_read=_SILENCE)
    session = aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, skip_auto_headers=("User-Agent",)
    )
    try:
        answer = await session.request(request.method, url, headers=headers, data=request.body or None, allow_redirects=False)
    except (aiohttp.ClientError, OSError) as error:
        await session.close()
        message = f"error trying to reach service: {error or type(error).__name__}"
        raise ApiError(503, "ServiceUnavailable", message) from None
    return Response(
        status=answer.status,
        content_type=answer.headers.get("Content-Type", "application/octet-stream"),
        headers=tuple(_passed_back(call, url, answer.headers)),
        body=_pieces(session, answer),
    )


def _passed_back(call: Call, url: URL, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers.items() if name.lower() not in (*_OF_A_CONNECTION, *_OURS)]
    return [
        (name, located(value, url, call.request.path, call.address.rest) if name.lower() == "location" else value)
        for name, value in kept
    ]


def located(location: str, url: URL, path: str, rest: str) -> str:
    """Where a redirect leads seen from outside: what stays with the same pod goes through the proxy again."""
    target = url.join(URL(location))
    if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
        return location
    prefix = path.removesuffix(URL(f"/{rest}", encoded=True).path).rstrip("/")
    return f"{prefix}{target.raw_path_qs}"


async def _pieces(session: aiohttp.ClientSession, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_chunked(_CHUNK):
            yield piece
    except (aiohttp.ClientError, OSError):
        return  # the client sees an answer that is too short
    finally:
        answer.close()
        await session.close()


def parse_target(text: str) -> tuple[str, str, str]:
    """Scheme, name and port of `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`; a port that is not given is "".

    Raises:
        ApiError: BadRequest; it is nothing of these.
    """
    found = _TARGET.fullmatch(text)
    if found is None:
        raise bad_request(f'invalid proxy request "{text}"')
    return found["scheme"] or "http", found["name"], found["port"] or ""


def _pod_address(pod: Object, port: str) -> tuple[str, int]:
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        raise bad_request("address not allowed")
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise bad_request(f'invalid port "{port}"')
    return str(address), int(port) if port else _first_port(pod)


def _first_port(pod: Object) -> int:
    ports = (port for container in pod["spec"].get("containers") or () for port in container.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("containerPort")), 80)


def _service_address(call: Call, service: Object, port: str) -> tuple[str, int]:
    """A ready endpoint of the service and its port, which a service's port means by name."""
    name = service["metadata"]["name"]
    ports = service["spec"].get("ports") or []
    meant = [found for found in ports if port in (found.get("name", ""), str(found["port"]))] if port else ports
    if len(meant) != 1:
        raise ApiError(503, "ServiceUnavailable", f'no service port "{port}" found for service "{name}"')
    for slice_ in call.api.registry.list(_SLICES, call.namespace)[0]:
        if (slice_["metadata"].get("labels") or {}).get(_OWNER) != name:
            continue
        numbers = [found["port"] for found in slice_.get("ports") or () if found.get("name", "") == meant[0].get("name", "")]
        ready = [point for point in slice_.get("endpoints") or () if (point.get("conditions") or {}).get("ready") is not False]
        if numbers and ready:
            return str(ready[0]["addresses"][0]), int(numbers[0])
    raise ApiError(503, "ServiceUnavailable", f'no endpoints available for service "{name}"')


async def _answer_for_node(call: Call) -> Response:
    """What of the kubelet's own API can be asked by people: its health, its pods, and what they use."""
    _, name, _ = parse_target(call.name)
    node = call.find_named(name)
    pods = [pod for pod in call.api.registry.list("pods")[0] if pod["spec"].get("nodeName") == name]
    path = call.address.rest.strip("/")
    if call.request.method != "GET" or path not in ("healthz", "pods", "stats/summary"):
        return text_response("404 page not found\n", 404)
    if path == "healthz":
        return text_response("ok")
    if path == "pods":
        return object_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods})
    return object_response(await _summary(call, node, pods))


async def _summary(call: Call, node: Object, pods: list[Object]) -> Object:
    """The kubelet's summary, with processors and memory."""
    usage = await call.api.node.read_usage()
    now = call.view().now
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def figures(key: tuple[str, str] | None) -> Object:
        used = usage.node if key is None else usage.containers[key]
        cpu = {"time": time, "usageNanoCores": round(used.cpu * 1e9)}
        return {"cpu": cpu, "memory": {"time": time, "workingSetBytes": used.memory}}

    listed = []
    for pod in pods:
        if (measured := pod_metrics(pod, usage, now)) is not None:
            reference = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
            names = [container["name"] for container in measured["containers"]]
            containers = [{"name": name, **figures((pod["metadata"]["uid"], name))} for name in names]
            listed.append({"podRef": reference, "containers": containers})
    return {"node": {"nodeName": node["metadata"]["name"], **figures(None)}, "pods": listed}
