"""Which ReplicaSet belongs to which revision of a Deployment, and what a new one looks like. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.controllers.rollout import DESIRED_REPLICAS, MAX_REPLICAS, Limits
from remora.cluster.objects import Object, annotations_of, controller_reference, with_metadata

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"

_NOT_COPIED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS}
)
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters that form no words (Kubernetes `rand.SafeEncodeString`)."""


def template_hash(template: Mapping[str, Any], *, collisions: int = 0) -> str:
    """Ten letters that follow from the template; `collisions` makes another one of the same template."""
    text = msgspec.json.encode(template, order="deterministic") + (str(collisions).encode() if collisions else b"")
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in hashlib.sha256(text).digest()[:10])


def without_hash(template: Mapping[str, Any]) -> Object:
    """The template as the Deployment has it: without the label that tells ReplicaSets apart."""
    metadata = dict(template.get("metadata") or {})
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != HASH_LABEL}
    metadata["labels"] = labels
    # The API server may serve an absent time as null or leave it out; both mean the same.
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": metadata}


def find_new(deployment: Mapping[str, Any], replicasets: Sequence[Object]) -> Object | None:
    """The oldest ReplicaSet with the Deployment's current template, or None."""
    wanted = without_hash(deployment["spec"]["template"])
    for replicaset in oldest_first(replicasets):
        if without_hash(replicaset["spec"]["template"]) == wanted:
            return replicaset
    return None


def oldest_first(replicasets: Sequence[Object]) -> list[Object]:
    return sorted(replicasets, key=lambda rs: (rs["metadata"].get("creationTimestamp") or "", rs["metadata"]["name"]))


def revision_of(obj: Mapping[str, Any]) -> int:
    text = annotations_of(obj).get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def next_revision(old: Sequence[Object]) -> int:
    return max(map(revision_of, old), default=0) + 1


def without_collision(deployment: Object, replicasets: Iterable[Object]) -> Object:
    """The Deployment with `status.collisionCount` raised until no ReplicaSet has the name that the next one is to get."""
    names = {found["metadata"]["name"] for found in replicasets}
    template = without_hash(deployment["spec"]["template"])
    status = deployment.get("status") or {}
    collisions = before = int(status.get("collisionCount") or 0)
    while f"{deployment['metadata']['name']}-{template_hash(template, collisions=collisions)}" in names:
        collisions += 1
    return deployment if collisions == before else {**deployment, "status": {**status, "collisionCount": collisions}}


def new_replicaset(deployment: Mapping[str, Any], *, size: int, revision: int, bounds: Limits) -> Object:
    """The ReplicaSet for the current template."""
    spec = deployment["spec"]
    metadata = deployment["metadata"]
    collisions = (deployment.get("status") or {}).get("collisionCount") or 0
    template = without_hash(spec["template"])
    hash_ = template_hash(template, collisions=collisions)
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: hash_}
    selector = spec["selector"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{hash_}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": annotations(deployment, {}, revision=revision, bounds=bounds),
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "minReadySeconds": spec.get("minReadySeconds") or 0,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hash_}},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def annotations(deployment: Mapping[str, Any], existing: Mapping[str, str], *, revision: int, bounds: Limits) -> dict[str, str]:
    """A ReplicaSet's annotations: the Deployment's, the revision, and the size that was wanted when it was last sized.

    A ReplicaSet that becomes current again keeps the revisions that it had in `revision-history`.
    """
    result = {**existing, **{n: v for n, v in annotations_of(deployment).items() if n not in _NOT_COPIED}}
    before = existing.get(REVISION)
    if before and before != str(revision):
        history = [part for part in existing.get(REVISION_HISTORY, "").split(",") if part]
        result[REVISION_HISTORY] = ",".join([*history, before])
    result[REVISION] = str(revision)
    return {**result, **sized_annotations(bounds)}


def sized_annotations(bounds: Limits) -> dict[str, str]:
    return {DESIRED_REPLICAS: str(bounds.replicas), MAX_REPLICAS: str(bounds.max_total)}


def with_revision(deployment: Object, revision: int) -> Object | None:
    """The Deployment with this revision noted, or None if it is already."""
    if annotations_of(deployment).get(REVISION) == str(revision):
        return None
    return with_metadata(deployment, annotations={**annotations_of(deployment), REVISION: str(revision)})


def obsolete(deployment: Mapping[str, Any], old: Sequence[Object]) -> list[Object]:
    """Old, empty ReplicaSets beyond `spec.revisionHistoryLimit` (10 by default), the oldest revisions first."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    empty = [rs for rs in old if _is_empty(rs)]
    surplus = len(old) - (10 if limit is None else int(limit))
    return sorted(empty, key=lambda rs: (revision_of(rs), rs["metadata"]["name"]))[: max(0, surplus)]


def _is_empty(replicaset: Mapping[str, Any]) -> bool:
    status = replicaset.get("status") or {}
    is_observed = status.get("observedGeneration", 0) >= replicaset["metadata"].get("generation", 0)
    return (
        replicaset["spec"].get("replicas") == 0
        and not status.get("replicas")
        and is_observed
        and not replicaset["metadata"].get("deletionTimestamp")
    )
