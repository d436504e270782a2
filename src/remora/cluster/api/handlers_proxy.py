"""`pods/proxy`: a GET that the API server passes on to a pod, and the pod's answer (`kubectl get --raw`)."""

import re
from typing import Any

import aiohttp
from yarl import URL

from remora.cluster.api.errors import ApiError, Object, bad_request
from remora.cluster.api.handlers import Call
from remora.cluster.api.http_message import Response

_TIMEOUT = 30.0
_TARGET = re.compile(r"(?:(?P<scheme>https?):)?(?P<name>[^:/]+)(?::(?P<port>[0-9]{1,5})?)?")


async def proxy_to_pod(call: Call) -> Response:
    """The answer of the pod of a path like `pods/[SCHEME:]NAME[:PORT]/proxy/PATH`."""
    scheme, name, port = parse_target(call.name)
    pod = call.find_named(name)
    url = URL.build(scheme=scheme, host=_address(pod), port=port or _first_port(pod))
    url = url.join(URL(f"/{call.address.rest}", encoded=True)).with_query(dict(call.request.query))
    headers = {"Accept": call.request.headers.get("accept", "*/*")}
    # Kubernetes does not check a pod's certificate here either.
    connector = aiohttp.TCPConnector(ssl=False)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=_TIMEOUT)) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            kept: Any = answer.headers.get("Content-Type", "application/octet-stream")
            return Response(status=answer.status, content_type=kept, body=await answer.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        message = f"error trying to reach service: {error or type(error).__name__}"
        raise ApiError(503, "ServiceUnavailable", message) from None


def parse_target(text: str) -> tuple[str, str, int]:
    """Scheme, name and port of `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`; a port that is not given is 0.

    Raises:
        ApiError: BadRequest; it is nothing of these.
    """
    found = _TARGET.fullmatch(text)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535:
        raise bad_request(f'invalid pod request "{text}"')
    return found["scheme"] or "http", found["name"], port


def _address(pod: Object) -> str:
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        raise bad_request("address not allowed")
    return str(address)


def _first_port(pod: Object) -> int:
    ports = (port for container in pod["spec"].get("containers") or () for port in container.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("containerPort")), 80)
