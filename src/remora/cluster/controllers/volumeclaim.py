"""PersistentVolumeClaims and the volumes that they are bound to: folders on this machine.

A claim takes a PersistentVolume that fits, or one is made for it, if its StorageClass has the provisioner `remora.io/folder`. A
claim that a pod uses is not removed before the pod; with a claim goes the folder that was made for it.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Create, Delete, Note, Update, carry_out, delete, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.objects import (
    TERMINAL_PHASES,
    Object,
    Reference,
    annotations_of,
    is_terminating,
    labels_of,
    selector_matches,
    uid_of,
    with_metadata,
)

COMPONENT = "persistentvolume-controller"
CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
PROVISIONER = "remora.io/folder"
PROTECTION = "kubernetes.io/pvc-protection"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
_BOUND = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
_UNITS = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def decide_claim(
    claim: Object, volumes: Sequence[Object], classes: Sequence[Object], pods: Sequence[Object], *, directory: str
) -> tuple[Action, ...]:
    """The next step of a claim; `pods` are those of its namespace, `directory` is where folders are made."""
    finalizers = claim["metadata"].get("finalizers") or []
    if is_terminating(claim):
        is_free = PROTECTION in finalizers and not any(_uses(pod, claim) for pod in pods)
        rest = [found for found in finalizers if found != PROTECTION]
        return (Update(CLAIMS, with_metadata(claim, finalizers=rest)),) if is_free else ()
    if PROTECTION not in finalizers:
        return (Update(CLAIMS, with_metadata(claim, finalizers=[*finalizers, PROTECTION])),)
    if (claim.get("status") or {}).get("phase") == "Bound":
        return ()
    default = next((found for found in classes if annotations_of(found).get(DEFAULT_CLASS) == "true"), None)
    if claim["spec"].get("storageClassName") is None and default is not None:
        return (Update(CLAIMS, {**claim, "spec": {**claim["spec"], "storageClassName": default["metadata"]["name"]}}),)
    volume = next((found for found in volumes if _is_for(found, claim)), None)
    if volume is not None:
        return _bind(claim, volume)
    return _provision(claim, classes, directory=directory)


def decide_volume(volume: Object, claim: Object | None) -> tuple[Action, ...]:
    """What becomes of a volume; `claim` is the one that it names, if that still exists."""
    reference, status = volume["spec"].get("claimRef"), volume.get("status") or {}
    if is_terminating(volume):
        return ()
    if reference is None or (claim is not None and uid_of(claim) == reference.get("uid", uid_of(claim))):
        phase = "Bound" if reference and status.get("phase") == "Bound" else "Available"
        return update_status(VOLUMES, volume, {**status, "phase": phase})
    if not reference.get("uid"):
        return update_status(VOLUMES, volume, {**status, "phase": "Available"})
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and _is_ours(volume):
        return (delete(VOLUMES, volume),)
    return update_status(VOLUMES, volume, {**status, "phase": "Released"})


def _bind(claim: Object, volume: Object) -> tuple[Action, ...]:
    """Both sides name each other; the volume's first, so that no other claim takes it."""
    spec = {**volume["spec"], "claimRef": _reference(claim)}
    bound = {**claim, "spec": {**claim["spec"], "volumeName": volume["metadata"]["name"]}}
    bound = with_metadata(bound, annotations={**annotations_of(claim), **_BOUND})
    modes, capacity = volume["spec"].get("accessModes") or [], volume["spec"].get("capacity") or {}
    status = {**(claim.get("status") or {}), "phase": "Bound", "accessModes": modes, "capacity": capacity}
    return (
        *((Update(VOLUMES, {**volume, "spec": spec}),) if spec != volume["spec"] else ()),
        *update_status(VOLUMES, volume, {**(volume.get("status") or {}), "phase": "Bound"}),
        Update(CLAIMS, bound),
        *update_status(CLAIMS, bound, status),
    )


def _provision(claim: Object, classes: Sequence[Object], *, directory: str) -> tuple[Action, ...]:
    name = claim["spec"].get("storageClassName")
    if not name or claim["spec"].get("volumeName"):
        return (Note(claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set"),)
    found = next((known for known in classes if known["metadata"]["name"] == name), None)
    if found is None:
        return (Note(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found', "Warning"),)
    if found.get("provisioner") != PROVISIONER:
        who = found.get("provisioner")
        return (Note(claim, "ExternalProvisioning", f"Waiting for a volume to be created by the provisioner '{who}'."),)
    volume = f"pvc-{uid_of(claim)}"
    created = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume, "annotations": {_PROVISIONED: PROVISIONER}},
        "spec": {
            "capacity": (claim["spec"].get("resources") or {}).get("requests") or {},
            "accessModes": claim["spec"].get("accessModes") or [],
            "persistentVolumeReclaimPolicy": found.get("reclaimPolicy", "Delete"),
            "storageClassName": name,
            "volumeMode": "Filesystem",
            "claimRef": _reference(claim),
            "hostPath": {"path": f"{directory}/{volume}", "type": "DirectoryOrCreate"},
        },
    }
    note = Note(claim, "ProvisioningSucceeded", f"Successfully provisioned volume {volume}")
    return (Create(VOLUMES, created, note),)


def _is_for(volume: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether a volume was made or reserved for the claim, or is free and fits."""
    spec, wanted, reference = volume["spec"], claim["spec"], volume["spec"].get("claimRef")
    if is_terminating(volume) or wanted.get("volumeName") not in (None, "", volume["metadata"]["name"]):
        return False
    if reference is not None:
        place = (reference.get("namespace"), reference.get("name"))
        is_meant = place == (claim["metadata"]["namespace"], claim["metadata"]["name"])
        return is_meant and reference.get("uid", uid_of(claim)) == uid_of(claim)
    requested = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")
    return (
        (spec.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and spec.get("volumeMode", "Filesystem") == wanted.get("volumeMode", "Filesystem")
        and quantity((spec.get("capacity") or {}).get("storage", "0")) >= quantity(requested)
        and selector_matches(wanted.get("selector") or {}, labels_of(volume))
    )


def quantity(text: str | float) -> Decimal:
    """A Kubernetes quantity such as `1Gi` as a number."""
    given = str(text)
    number = given.rstrip("kKMGTPEim")
    unit = given[len(number) :]
    if unit.endswith("i"):
        return Decimal(number) * (1 << 10 * (_UNITS[unit[0].replace("K", "k")] // 3))
    return Decimal(number).scaleb(-3 if unit == "m" else _UNITS.get(unit, 0))


def _uses(pod: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    if (pod.get("status") or {}).get("phase") in TERMINAL_PHASES:
        return False
    names = ((volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in pod["spec"].get("volumes") or ())
    return claim["metadata"]["name"] in names


def _reference(claim: Mapping[str, Any]) -> Object:
    metadata = claim["metadata"]
    kept = {name: metadata[name] for name in ("namespace", "name", "uid") if name in metadata}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **kept}


def _is_ours(volume: Mapping[str, Any]) -> bool:
    return annotations_of(volume).get(_PROVISIONED) == PROVISIONER


class VolumeClaimController:
    """Keeps claims and volumes as decided above. `directory` is where the folders of volumes are."""

    def __init__(self, *, registry: Registry, events: Events, directory: Path) -> None:
        self._registry = registry
        self._events = events
        self._directory = directory
        self._loop: Loop[Reference] = Loop("volumes", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, CLAIMS, self._claim_changed))
            group.create_task(follow(self._registry, VOLUMES, self._volume_changed))
            group.create_task(follow(self._registry, CLASSES, lambda _: self._wake_waiting()))
            group.create_task(follow(self._registry, "pods", self._pod_changed))

    def _claim_changed(self, event: WatchEvent) -> None:
        metadata = event.object["metadata"]
        self._loop.add(Reference(CLAIMS, metadata["namespace"], metadata["name"]))
        if name := event.object["spec"].get("volumeName"):
            self._loop.add(Reference(VOLUMES, "", name))

    def _volume_changed(self, event: WatchEvent) -> None:
        self._loop.add(Reference(VOLUMES, "", event.object["metadata"]["name"]))
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        for claim in self._registry.list(CLAIMS)[0]:
            if (claim.get("status") or {}).get("phase") != "Bound":
                self._loop.add(Reference(CLAIMS, claim["metadata"]["namespace"], claim["metadata"]["name"]))

    def _pod_changed(self, event: WatchEvent) -> None:
        """A claim that awaits its end may go when the pod is gone."""
        if event.type == "DELETED" or (event.object.get("status") or {}).get("phase") in TERMINAL_PHASES:
            for volume in event.object["spec"].get("volumes") or ():
                if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
                    self._loop.add(Reference(CLAIMS, event.object["metadata"]["namespace"], name))

    async def _reconcile(self, reference: Reference) -> float | None:
        obj = self._registry.find(reference.resource, reference.namespace, reference.name)
        if obj is None:
            return None
        actions = self._decide_volume(obj) if reference.resource == VOLUMES else self._decide_claim(obj)
        await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        if any(isinstance(action, Delete) for action in actions):
            await asyncio.to_thread(shutil.rmtree, self._directory / reference.name, ignore_errors=True)
        return None

    def _decide_claim(self, claim: Object) -> tuple[Action, ...]:
        volumes, classes = self._registry.list(VOLUMES)[0], self._registry.list(CLASSES)[0]
        pods, _ = self._registry.list("pods", claim["metadata"]["namespace"])
        return decide_claim(claim, volumes, classes, pods, directory=str(self._directory))

    def _decide_volume(self, volume: Object) -> tuple[Action, ...]:
        reference = volume["spec"].get("claimRef") or {}
        claim = self._registry.find(CLAIMS, reference.get("namespace", ""), reference.get("name", ""))
        return decide_volume(volume, claim)
