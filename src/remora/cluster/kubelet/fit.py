"""Whether a pod may run on the one node, in the scheduler's words if not. Pure.

The filters are a table in the order in which the scheduler asks them; the first that minds decides.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from remora.cluster.controllers.daemonplacement import UNSCHEDULABLE, tolerates
from remora.cluster.kubelet.quantities import quantity, requested
from remora.cluster.objects import labels_of, selector_matches

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_UNHELPFUL = "Preemption is not helpful for scheduling."
_NO_VICTIMS = "No preemption victims found for incoming pod."


class Surroundings(msgspec.Struct, frozen=True):
    """What is there besides the pod: the node, the pods that run on it, and the claims of the pod's namespace."""

    node: Mapping[str, Any]
    running: Sequence[Mapping[str, Any]] = ()
    find_claim: Callable[[str], Mapping[str, Any] | None] = lambda _: {"status": {"phase": "Bound"}}


class Refusal(msgspec.Struct, frozen=True):
    """Why not; `evicting_helps` if it would be otherwise without the pods that run."""

    reasons: tuple[str, ...]
    evicting_helps: bool = False


def why_not(pod: Mapping[str, Any], around: Surroundings) -> str:
    """Why the pod cannot run on the node, worded as the scheduler words it; "" if it can."""
    if claims := missing_claims(pod, around):
        return f"0/1 nodes are available: {claims}. not found"
    for refuses in _FILTERS:
        if refusal := refuses(pod, around):
            counted = ", ".join(f"1 {reason}" for reason in sorted(refusal.reasons))
            preemption = f"0/1 nodes are available: 1 {_NO_VICTIMS if refusal.evicting_helps else _UNHELPFUL}"
            return f"0/1 nodes are available: {counted}. no new claims to deallocate, preemption: {preemption}"
    return ""


def missing_claims(pod: Mapping[str, Any], around: Surroundings) -> str:
    """What is wrong with the claims that the pod's volumes name; "" if they are bound."""
    for name in claims_of(pod):
        claim = around.find_claim(name)
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if (claim.get("status") or {}).get("phase") != "Bound":
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def claims_of(pod: Mapping[str, Any]) -> list[str]:
    """The claims' names; an `ephemeral` volume has one that is named after pod and volume."""
    names = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            names.append(volume["persistentVolumeClaim"]["claimName"])
        elif "ephemeral" in volume:
            names.append(f"{pod['metadata']['name']}-{volume['name']}")
    return names


def _cordoned(pod: Mapping[str, Any], around: Surroundings) -> Refusal | None:
    is_cordoned = (around.node.get("spec") or {}).get("unschedulable")
    return Refusal(("node(s) were unschedulable",)) if is_cordoned and not _tolerates(pod, UNSCHEDULABLE) else None


def _tainted(pod: Mapping[str, Any], around: Surroundings) -> Refusal | None:
    taints = (around.node.get("spec") or {}).get("taints") or ()
    hard = (taint for taint in taints if taint["effect"] in ("NoSchedule", "NoExecute"))
    return Refusal(("node(s) had untolerated taint(s)",)) if any(not _tolerates(pod, taint) for taint in hard) else None


def _tolerates(pod: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    return any(tolerates(found, taint) for found in pod["spec"].get("tolerations") or ())


def _elsewhere(pod: Mapping[str, Any], around: Surroundings) -> Refusal | None:
    selector = pod["spec"].get("nodeSelector") or {}
    affinity = _affinity(pod, "nodeAffinity")
    terms = affinity.get("nodeSelectorTerms") if affinity else None
    fits = terms is None or any(_term_matches(term, around.node) for term in terms)
    if selector.items() <= labels_of(around.node).items() and fits:
        return None
    return Refusal(("node(s) didn't match Pod's node affinity/selector",))


def _term_matches(term: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """An empty term matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    name = {"metadata.name": node["metadata"]["name"]}
    return (
        bool(expressions or fields)
        and all(_rule_matches(rule, labels_of(node)) for rule in expressions)
        and all(_rule_matches(rule, name) for rule in fields)
    )


def _rule_matches(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Nodes may be selected by numbers, too."""
    if rule.get("operator") not in ("Gt", "Lt"):
        return selector_matches({"matchExpressions": [rule]}, labels)
    try:
        found, wanted = int(labels[rule["key"]]), int(rule["values"][0])
    except (KeyError, IndexError, ValueError):
        return False
    return found > wanted if rule["operator"] == "Gt" else found < wanted


def _too_large(pod: Mapping[str, Any], around: Surroundings) -> Refusal | None:
    allocatable = {name: quantity(given) for name, given in around.node.get("status", {}).get("allocatable", {}).items()}
    if "pods" in allocatable and len(around.running) >= allocatable["pods"]:
        return Refusal(("Too many pods",), evicting_helps=True)
    wanted = {name: number for name, number in requested(pod["spec"]).items() if number}
    if not wanted or not allocatable:
        return None
    used = _used(around.running, wanted)
    short = [name for name, number in wanted.items() if used[name] + number > allocatable.get(name, Decimal(0))]
    exceeds = any(wanted[name] > allocatable.get(name, Decimal(0)) for name in short)
    return Refusal(tuple(f"Insufficient {name}" for name in short), evicting_helps=not exceeds) if short else None


def _used(running: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Decimal]:
    used = dict.fromkeys(names, Decimal(0))
    for other in running:
        for name, number in requested(other["spec"]).items():
            if name in used:
                used[name] += number
    return used


def _unloved(pod: Mapping[str, Any], around: Surroundings) -> Refusal | None:
    """Affinity to other pods, where the one node is all of the topology; a first pod may be its own friend."""
    on_node = labels_of(around.node)
    for term in _affinity(pod, "podAffinity") or ():
        friends = [other for other in around.running if _meant(term, pod, other)]
        if term["topologyKey"] not in on_node or not (friends or _meant(term, pod, pod)):
            return Refusal(("node(s) didn't match pod affinity rules",))
    for term in _affinity(pod, "podAntiAffinity") or ():
        if term["topologyKey"] in on_node and any(_meant(term, pod, other) for other in around.running):
            return Refusal(("node(s) didn't match pod anti-affinity rules",), evicting_helps=True)
    for other in around.running:
        for term in _affinity(other, "podAntiAffinity") or ():
            if term["topologyKey"] in on_node and _meant(term, other, pod):
                return Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",), evicting_helps=True)
    return None


def _meant(term: Mapping[str, Any], owner: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a term of `owner` is about `other`. Namespaces by label are not looked up: all count."""
    namespaces = term.get("namespaces") or [owner["metadata"].get("namespace")]
    is_near = term.get("namespaceSelector") is not None or other["metadata"].get("namespace") in namespaces
    return is_near and selector_matches(term.get("labelSelector"), labels_of(other))


def _affinity(pod: Mapping[str, Any], kind: str) -> Any:
    return ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(_REQUIRED)


_FILTERS: tuple[Callable[[Mapping[str, Any], Surroundings], Refusal | None], ...] = (
    _cordoned,
    _tainted,
    _elsewhere,
    _too_large,
    _unloved,
)
