"""What stays the same of a StatefulSet's pods: their names, their hostnames, their claims. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from remora.cluster.controllers.actions import Action, Update
from remora.cluster.controllers.history import POD_LABEL, name_of, template_of
from remora.cluster.controllers.pods import pod_of
from remora.cluster.controllers.rollout import replicas_of
from remora.cluster.objects import Object, controller_of, controller_reference, labels_of, uid_of, with_metadata

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
CLAIMS = "persistentvolumeclaims"


def first_ordinal(owner: Mapping[str, Any]) -> int:
    return int((owner["spec"].get("ordinals") or {}).get("start") or 0)


def ordinals(owner: Mapping[str, Any]) -> range:
    """The numbers of the pods that there shall be."""
    start = first_ordinal(owner)
    return range(start, start + replicas_of(owner))


def pod_name(owner: Mapping[str, Any], ordinal: int) -> str:
    return f"{owner['metadata']['name']}-{ordinal}"


def ordinal_of(owner: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The number in a pod's name, or None if the name is none that the StatefulSet gives."""
    set_name, _, number = pod["metadata"]["name"].rpartition("-")
    is_ours = set_name == owner["metadata"]["name"] and number.isdecimal() and str(int(number)) == number
    return int(number) if is_ours else None


def new_pod(owner: Mapping[str, Any], ordinal: int, revision: Mapping[str, Any]) -> Object:
    """The pod of this number from the template of a revision."""
    template = template_of(revision)
    name = pod_name(owner, ordinal)
    pod = pod_of(owner, template, name=name)
    labels = {**labels_of(pod), **_labels(owner, ordinal), POD_LABEL: name_of(revision)}
    claimed = {claim["metadata"]["name"]: claim_name(claim, name) for claim in _claim_templates(owner)}
    others = [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in claimed]
    claims = [
        {"name": volume, "persistentVolumeClaim": {"claimName": claim, "readOnly": False}} for volume, claim in claimed.items()
    ]
    spec = {**pod["spec"], "hostname": name, "subdomain": owner["spec"].get("serviceName") or ""}
    if claims or others:
        spec["volumes"] = [*claims, *others]
    return {**with_metadata(pod, labels=labels), "spec": spec}


def identified(owner: Mapping[str, Any], pod: Object) -> tuple[Action, ...]:
    """Gives an adopted pod the labels that say who it is."""
    ordinal = ordinal_of(owner, pod)
    if ordinal is None or _labels(owner, ordinal).items() <= labels_of(pod).items():
        return ()
    return (Update("pods", with_metadata(pod, labels={**labels_of(pod), **_labels(owner, ordinal)})),)


def claim_name(template: Mapping[str, Any], pod: str) -> str:
    return f"{template['metadata']['name']}-{pod}"


def new_claims(owner: Mapping[str, Any], pod: str) -> Iterator[Object]:
    """The PersistentVolumeClaims that the pod of this name refers to."""
    labels = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
    for template in _claim_templates(owner):
        metadata = {
            **template["metadata"],
            "name": claim_name(template, pod),
            "namespace": owner["metadata"]["namespace"],
            "labels": {**labels, **(template["metadata"].get("labels") or {})},
        }
        metadata.pop("creationTimestamp", None)
        yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}


def kept_claims(owner: Object, pod: Object, claims: Sequence[Object], *, condemned: bool) -> tuple[Action, ...]:
    """Makes each claim of a pod end with whom `persistentVolumeClaimRetentionPolicy` says: the set, the pod, or nobody."""
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    keeper: Object | None = None
    if condemned and policy.get("whenScaled") == "Delete":
        keeper = {"apiVersion": "v1", "kind": "Pod", **pod}
    elif not condemned and policy.get("whenDeleted") == "Delete":
        keeper = owner
    names = {claim_name(template, pod["metadata"]["name"]) for template in _claim_templates(owner)}
    actions: list[Action] = []
    for claim in claims:
        if claim["metadata"]["name"] not in names:
            continue
        references = claim["metadata"].get("ownerReferences") or []
        foreign = [found for found in references if not _is_ours(owner, pod, found)]
        if keeper is not None and all(controller_of({"metadata": {"ownerReferences": [f]}}) is None for f in foreign):
            foreign = [*foreign, controller_reference(keeper)]
        if foreign != references:
            actions.append(Update(CLAIMS, with_metadata(claim, ownerReferences=foreign)))
    return tuple(actions)


def _is_ours(owner: Mapping[str, Any], pod: Mapping[str, Any], reference: Mapping[str, Any]) -> bool:
    """Also one to an earlier pod of the name."""
    is_pod = reference.get("kind") == "Pod" and reference.get("name") == pod["metadata"]["name"]
    return is_pod or reference.get("uid") == uid_of(owner)


def _labels(owner: Mapping[str, Any], ordinal: int) -> dict[str, str]:
    return {NAME_LABEL: pod_name(owner, ordinal), INDEX_LABEL: str(ordinal)}


def _claim_templates(owner: Mapping[str, Any]) -> Sequence[Object]:
    found: Sequence[Object] = owner["spec"].get("volumeClaimTemplates") or ()
    return found
