"""On which nodes a DaemonSet's pods may run, and what is added to their template for it. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from remora.cluster.objects import Object, labels_of, selector_matches

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""The taint of a node that was cordoned."""
_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class Placement(msgspec.Struct, frozen=True):
    may_begin: bool
    may_stay: bool


def placement(owner: Mapping[str, Any], node: Mapping[str, Any]) -> Placement:
    """Whether a pod of the DaemonSet may begin on the node, and whether one that runs there may stay."""
    spec = owner["spec"]["template"]["spec"]
    if spec.get("nodeName") not in (None, "", node["metadata"]["name"]) or not _fits(spec, node):
        return Placement(False, False)
    tolerations = _tolerations(spec)
    repelled = {taint["effect"] for taint in _taints(node) if not any(tolerates(found, taint) for found in tolerations)}
    return Placement(not repelled & {"NoSchedule", "NoExecute"}, "NoExecute" not in repelled)


def daemon_template(owner: Mapping[str, Any], node: str) -> Object:
    """The template with what ties the pod to its node and lets it stay there."""
    template: Object = owner["spec"]["template"]
    spec = template["spec"]
    affinity = spec.get("affinity") or {}
    on_node = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    own = {**(affinity.get("nodeAffinity") or {}), _REQUIRED: {"nodeSelectorTerms": [on_node]}}
    return {**template, "spec": {**spec, "affinity": {**affinity, "nodeAffinity": own}, "tolerations": _tolerations(spec)}}


def node_of(pod: Mapping[str, Any]) -> str:
    """The node where a pod runs, or the one for which it was made."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for rule in term.get("matchFields") or ():
            return str((rule.get("values") or [""])[0])
    return ""


def _fits(spec: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    labels = labels_of(node)
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    if required is None:
        return True
    name = {"metadata.name": node["metadata"]["name"]}
    return any(
        selector_matches({"matchExpressions": term.get("matchExpressions") or ()}, labels)
        and selector_matches({"matchExpressions": term.get("matchFields") or ()}, name)
        for term in required.get("nodeSelectorTerms") or ()
        if term.get("matchExpressions") or term.get("matchFields")
    )


def _taints(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = node.get("spec") or {}
    taints = list(spec.get("taints") or ())
    if spec.get("unschedulable"):
        taints.append(UNSCHEDULABLE)
    return taints


def _tolerations(spec: Mapping[str, Any]) -> list[Object]:
    tolerated = (*_TOLERATED, _NETWORK) if spec.get("hostNetwork") else _TOLERATED
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in tolerated]
    own = list(spec.get("tolerations") or ())
    return [*own, *(found for found in added if found not in own)]


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]) or toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
