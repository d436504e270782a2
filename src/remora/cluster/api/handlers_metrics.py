"""`metrics.k8s.io/v1beta1`: what pods and nodes use, which `kubectl top` shows. Nothing of it is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from remora.cluster.api.errors import Object, not_found
from remora.cluster.api.fields import matches_fields
from remora.cluster.api.handlers import Call
from remora.cluster.api.handlers_read import parse_selectors
from remora.cluster.api.http_message import Response
from remora.cluster.api.node import Figures, Usage

GROUP = "metrics.k8s.io"


async def read_one(call: Call) -> Response:
    shown = f"{call.namespace}/{call.name}" if call.namespace else call.name
    measured = call.api.registry.find(call.row.plural, call.namespace, call.name)
    if measured is not None:
        usage = await call.api.node.read_usage()
        for metrics in _metrics(call, [measured], usage):
            return call.raw({"kind": call.row.kind, "apiVersion": call.row.api_version, **metrics})
    raise not_found(call.row.kind.lower(), shown, group=GROUP)


async def read_list(call: Call) -> Response:
    labels, fields = parse_selectors(call.request)
    objects = call.api.registry.list(call.row.plural, call.namespace, labels=labels)[0]
    usage = await call.api.node.read_usage()
    items = _metrics(call, [obj for obj in objects if matches_fields(obj, fields)], usage)
    head = {"kind": call.row.list_kind, "apiVersion": call.row.api_version, "metadata": {}}
    return call.raw({**head, "items": items})


def _metrics(call: Call, objects: Sequence[Object], usage: Usage) -> list[Object]:
    now = datetime.now(UTC)
    if call.row.plural == "nodes":
        return [{**_head(node, usage, now), "usage": render_usage(usage.node)} for node in objects]
    return [metrics for pod in objects if (metrics := pod_metrics(pod, usage, now)) is not None]


def pod_metrics(pod: Object, usage: Usage, now: datetime) -> Object | None:
    """None for a pod of which nothing runs."""
    spec, uid = pod["spec"], pod["metadata"]["uid"]
    names = [container["name"] for container in (*(spec.get("initContainers") or ()), *spec["containers"])]
    found = [(name, usage.containers[uid, name]) for name in names if (uid, name) in usage.containers]
    if not found:
        return None
    return {**_head(pod, usage, now), "containers": [{"name": name, "usage": render_usage(used)} for name, used in found]}


def _head(obj: Object, usage: Usage, now: datetime) -> Object:
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {key: obj["metadata"][key] for key in ("name", "namespace", "labels") if key in obj["metadata"]}
    metadata["creationTimestamp"] = moment
    return {"metadata": metadata, "timestamp": moment, "window": f"{usage.window:.3f}s"}


def render_usage(figures: Figures) -> Object:
    """As quantities: billionths of a processor, and kibibytes."""
    return {"cpu": f"{round(figures.cpu * 1e9)}n", "memory": f"{figures.memory // 1024}Ki"}
