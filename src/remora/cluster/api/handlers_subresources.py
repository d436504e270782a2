"""Subresources that are not parts of their object: scale, a pod's log, its eviction, a service account's token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from remora.cluster.api.custom.jsonpath import find_all, with_value
from remora.cluster.api.custom.version import ScalePaths
from remora.cluster.api.decoding import decode
from remora.cluster.api.errors import Object, bad_request, forbidden_field, invalid, invalid_value, not_found
from remora.cluster.api.eviction import charged
from remora.cluster.api.handlers import Call, success
from remora.cluster.api.handlers_write import delete_options, patch_type
from remora.cluster.api.http_body import read_options, read_value
from remora.cluster.api.http_message import Response
from remora.cluster.api.patch import patched
from remora.cluster.api.resource import Resource
from remora.cluster.api.table.columns import NONE, render_labels, render_selector

_FIRST_WAIT = 0.2
"""Seconds for which a log may be silent before the answer begins; an error can be told only until then."""
_HOUR = 3600
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 1 << 32
_LOG_NUMBERS = (
    ("tailLines", 0, "must be greater than or equal to 0"),
    ("limitBytes", 1, "must be greater than 0"),
    ("sinceSeconds", 1, "must be greater than 0"),
)
_SCALE = ScalePaths(".spec.replicas", ".status.replicas", ".spec.selector")
_BUDGETS = "poddisruptionbudgets.policy"


async def read_scale(call: Call) -> Response:
    return call.raw(scale_of(call.find(), call.row))


async def update_scale(call: Call) -> Response:
    value = read_value(call.request, "Scale")
    return await _rescale(call, call.find(), decode(value, api_version="autoscaling/v1", kind="Scale").object)


async def patch_scale(call: Call) -> Response:
    obj = call.find()
    changed = patched(scale_of(obj, call.row), call.request.body, patch_type(call.request, call.row))
    return await _rescale(call, obj, decode(changed, api_version="autoscaling/v1", kind="Scale").object)


async def _rescale(call: Call, obj: Object, scale: Object) -> Response:
    metadata = {**obj["metadata"], "resourceVersion": scale["metadata"].get("resourceVersion", "")}
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    wanted = with_value({**obj, "metadata": metadata}, scale_paths(call.row).replicas, replicas)
    dry_run = call.request.dry_run("UpdateOptions")
    changed = await call.api.registry.update(call.storage, wanted, dry_run=dry_run, writer=call.writer("scale"))
    return call.raw(scale_of(changed, call.row))


def scale_paths(row: Resource) -> ScalePaths:
    """Where a kind keeps its count; Kubernetes' own all do in the same place."""
    return row.custom.scale if row.custom is not None and row.custom.scale is not None else _SCALE


def scale_of(obj: Object, row: Resource) -> Object:
    """An object's `autoscaling/v1` Scale."""
    metadata = {
        key: obj["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in obj["metadata"]
    }
    paths = scale_paths(row)
    replicas = next(iter(find_all(obj, paths.replicas)), 0)
    status: Object = {"replicas": next(iter(find_all(obj, paths.status_replicas)), 0)}
    found = next(iter(find_all(obj, paths.selector)), "") if paths.selector else ""
    selector = found if isinstance(found, str) else _selector(found)
    if selector not in ("", NONE):
        status["selector"] = selector
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _selector(selector: Object) -> str:
    if "matchLabels" in selector or "matchExpressions" in selector:
        return render_selector(selector)
    return render_labels(selector)


async def read_log(call: Call) -> Response:
    pod = call.find()
    node = pod["spec"].get("nodeName", "")
    if node and call.api.registry.find("nodes", "", node) is None:
        raise not_found("pods", node)  # Kubernetes says `pods` for what is a node here
    request = call.request
    _check_log_options(call)
    pieces = call.api.node.log(
        pod,
        container_of(pod, request.query.get("container", "")),
        follow=request.is_set("follow"),
        previous=request.is_set("previous"),
        tail_lines=request.integer("tailLines"),
        since_seconds=_since(request.query.get("sinceTime", ""), request.integer("sinceSeconds")),
        timestamps=request.is_set("timestamps"),
        limit_bytes=request.integer("limitBytes"),
    )
    return Response(content_type="text/plain", body=await _begun(pieces))


def _check_log_options(call: Call) -> None:
    """Raises:
    ApiError: Invalid; numbers that are too small, or two beginnings.
    """
    request = call.request
    causes = []
    for name, least, problem in _LOG_NUMBERS:
        number = request.integer(name)
        if number is not None and number < least:
            causes.append(invalid_value(name, number, problem))
    if request.query.get("sinceTime") and request.integer("sinceSeconds") is not None:
        causes.append(forbidden_field("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if causes:
        raise invalid("PodLogOptions", call.name, causes)


def container_of(pod: Object, name: str) -> str:
    """The container that is meant.

    Raises:
        ApiError: BadRequest; there is none of that name, or there are several and none was named.
    """
    spec, pod_name = pod["spec"], pod["metadata"]["name"]
    containers = [container["name"] for container in spec.get("containers") or ()]
    initial = [container["name"] for container in spec.get("initContainers") or ()]
    added = [container["name"] for container in spec.get("ephemeralContainers") or ()]
    if name in containers or name in initial or name in added:
        return name
    if name:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    if len(containers) == 1:
        return str(containers[0])
    more = f" or one of the init containers: [{' '.join(initial)}]" if initial else ""
    raise bad_request(f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(containers)}]{more}")


def _since(moment: str, seconds: int | None) -> float | None:
    if not moment:
        return seconds
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except ValueError:
        raise bad_request(f'parsing time "{moment}" as RFC 3339: cannot parse it') from None


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, after the first was given time to fail."""
    first: asyncio.Future[bytes] = asyncio.ensure_future(_first(pieces))
    done, _ = await asyncio.wait({first}, timeout=_FIRST_WAIT)
    if done:
        first.result()
    return _from_first(first, pieces)


async def _first(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces, b"")


async def _from_first(first: asyncio.Future[bytes], pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield await first
        async for piece in pieces:
            yield piece
    finally:
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({first})
        close: Any = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


async def evict(call: Call) -> Response:
    eviction = read_options(call.request, "Eviction")
    options = delete_options(call.request, eviction.get("deleteOptions") or {})
    pod, registry = call.find(), call.api.registry
    budget = charged(pod, registry.list(_BUDGETS, call.namespace)[0], now=datetime.now(UTC))
    if not options.dry_run:
        if budget is not None:
            await registry.update(_BUDGETS, budget, subresource="status")
        pod = with_disruption(pod, now=datetime.now(UTC))
        await call.api.registry.update(call.storage, pod, subresource="status")
    await call.api.registry.review_removal(call.storage, call.namespace, call.name, options)
    call.api.registry.remove(call.storage, call.namespace, call.name, options)
    return call.raw(success(status=201), status=201)


def with_disruption(pod: Object, *, now: datetime) -> Object:
    """The pod with the condition that says why it will go (Kubernetes' `DisruptionTarget`)."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = pod.get("status") or {}
    others = [found for found in status.get("conditions") or () if found.get("type") != condition["type"]]
    return {**pod, "status": {**status, "conditions": [*others, condition]}}


def _lifetime(given: Any) -> int:
    """The seconds for which a token is asked; an hour, if nobody says.

    Raises:
        ApiError: Invalid; in Kubernetes' words.
    """
    lifetime = _HOUR if given is None else int(given)
    if _SHORTEST_TOKEN <= lifetime <= _LONGEST_TOKEN:
        return lifetime
    bound = "less than 10 minutes" if lifetime < _SHORTEST_TOKEN else "larger than 2^32 seconds"
    cause = invalid_value("spec.expirationSeconds", lifetime, f"may not specify a duration {bound}")
    raise invalid("TokenRequest", "", [cause], group="authentication.k8s.io")


async def create_token(call: Call) -> Response:
    account = call.find()
    given = read_options(call.request, "TokenRequest")
    spec = given.get("spec") or {}
    lifetime = _lifetime(spec.get("expirationSeconds"))
    bound = spec.get("boundObjectRef") or {}
    pod_name = bound.get("name", "") if bound.get("kind") == "Pod" else ""
    token = call.api.tokens.issue(call.namespace, call.name, pod_name, lifetime=lifetime, audiences=spec.get("audiences") or ())
    expires = (datetime.now(UTC) + timedelta(seconds=lifetime)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account["metadata"]["name"], "namespace": call.namespace},
        "spec": {"audiences": [], **spec, "expirationSeconds": lifetime},
        "status": {"token": token, "expirationTimestamp": expires},
    }
    return call.raw(answer, status=201)
