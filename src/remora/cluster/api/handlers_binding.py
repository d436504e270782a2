"""Binding: a pod is given its node, by a scheduler of somebody's own."""

from datetime import UTC, datetime

from remora.cluster.api.decoding import decode
from remora.cluster.api.errors import Cause, Object, bad_request, conflict, invalid, not_found, required, unsupported
from remora.cluster.api.handlers import Call, success
from remora.cluster.api.http_body import read_value
from remora.cluster.api.http_message import Response


async def bind(call: Call) -> Response:
    """`pods/NAME/binding`, and `bindings`, where the body names the pod."""
    dry_run = call.request.dry_run("CreateOptions")
    binding = decode(read_value(call.request, "Binding"), api_version="v1", kind="Binding").object
    metadata = binding.get("metadata") or {}
    name = call.name or str(metadata.get("name") or "")
    if call.name and metadata.get("name") not in (None, "", call.name):
        raise bad_request("name in URL does not match name in Binding object")
    if causes := list(_check(binding.get("target") or {})):
        raise invalid("Binding", name, causes)
    registry = call.api.registry
    pod = registry.find("pods", call.namespace, name)
    if pod is None:
        raise not_found("pods", name)
    bound = _bound(pod, binding, now=datetime.now(UTC))
    await registry.update("pods", bound, subresource="binding", dry_run=dry_run)
    return call.raw(success(status=201), status=201)


def _check(target: Object) -> list[Cause]:
    if target.get("kind") not in (None, "", "Node"):
        return [unsupported("target.kind", target["kind"], ("Node", "<empty>"))]
    return [] if target.get("name") else [required("target.name")]


def _bound(pod: Object, binding: Object, *, now: datetime) -> Object:
    """The pod on its node.

    Raises:
        ApiError: Conflict; it is on one already, or is going.
    """
    metadata, spec, name = pod["metadata"], pod["spec"], pod["metadata"]["name"]
    if metadata.get("deletionTimestamp"):
        raise conflict("pods/binding", name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise conflict("pods/binding", name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    given = binding.get("metadata") or {}
    annotations = {**(metadata.get("annotations") or {}), **(given.get("annotations") or {})}
    preconditions = {key: given[key] for key in ("uid", "resourceVersion") if given.get(key)}
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    status = pod.get("status") or {}
    others = [found for found in status.get("conditions") or () if found.get("type") != "PodScheduled"]
    return {
        **pod,
        "metadata": {**metadata, **preconditions, **({"annotations": annotations} if annotations else {})},
        "spec": {**spec, "nodeName": binding["target"]["name"]},
        "status": {**status, "conditions": [*others, scheduled]},
    }
