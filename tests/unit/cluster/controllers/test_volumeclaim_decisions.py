"""Which volume a claim gets, and what happens to both at the end."""

from typing import Any

import pytest

from remora.cluster.controllers.actions import Action, Create, Delete, Note, Update
from remora.cluster.controllers.volumeclaim import (
    CLAIMS,
    DEFAULT_CLASS,
    PROTECTION,
    PROVISIONER,
    decide_claim,
    decide_volume,
    quantity,
)
from remora.cluster.objects import Object

STANDARD = {"metadata": {"name": "standard", "annotations": {DEFAULT_CLASS: "true"}}, "provisioner": PROVISIONER}
OTHER = {"metadata": {"name": "other"}, "provisioner": "example.com/disks"}


def _claim(**spec: Any) -> Object:
    metadata = {"name": "data", "namespace": "default", "uid": "c", "finalizers": [PROTECTION]}
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "metadata": metadata,
        "spec": {"storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "resources": resources, **spec},
        "status": {"phase": "Pending"},
    }


def _volume(storage: str = "2Gi", **spec: Any) -> Object:
    given = {"capacity": {"storage": storage}, "accessModes": ["ReadWriteOnce"], "storageClassName": "standard", **spec}
    return {"metadata": {"name": "disk", "uid": "v"}, "spec": given, "status": {"phase": "Available"}}


def _decide(claim: Object, *volumes: Object, pods: tuple[Object, ...] = ()) -> tuple[Action, ...]:
    return decide_claim(claim, volumes, [STANDARD, OTHER], pods, directory="/volumes")


def _bound_to(claim: Object, *volumes: Object) -> str:
    updates = [action for action in _decide(claim, *volumes) if isinstance(action, Update) and action.resource == CLAIMS]
    return str(updates[0].object["spec"].get("volumeName")) if updates else ""


def test_claim_without_class_takes_the_default_one() -> None:
    (update,) = _decide(_claim(storageClassName=None))
    assert isinstance(update, Update)
    assert update.object["spec"]["storageClassName"] == "standard"


def test_folder_is_made_for_a_claim_and_bound_to_it() -> None:
    claim = _claim()
    (create,) = _decide(claim)
    assert isinstance(create, Create)
    assert create.object["spec"]["hostPath"]["path"] == "/volumes/pvc-c"
    assert _bound_to(claim, {**create.object, "status": {}}) == "pvc-c"
    last = _decide(claim, {**create.object, "status": {}})[-1]
    assert isinstance(last, Update)
    assert last.object["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}


@pytest.mark.parametrize(
    ("volume", "fits"),
    [
        (_volume(), True),
        (_volume("500Mi"), False),
        (_volume(accessModes=["ReadOnlyMany"]), False),
        (_volume(storageClassName="other"), False),
        (_volume(claimRef={"namespace": "default", "name": "data"}), True),
        (_volume(claimRef={"namespace": "default", "name": "data", "uid": "earlier"}), False),
        (_volume(claimRef={"namespace": "default", "name": "else"}), False),
    ],
)
def test_volume_that_exists_is_taken_if_it_fits(volume: Object, fits: bool) -> None:
    assert _bound_to(_claim(), volume) == ("disk" if fits else "")


@pytest.mark.parametrize(
    ("name", "reason"), [("none", "ProvisioningFailed"), ("other", "ExternalProvisioning"), ("", "FailedBinding")]
)
def test_claim_that_waits_says_for_what(name: str, reason: str) -> None:
    (note,) = _decide(_claim(storageClassName=name))
    assert isinstance(note, Note)
    assert note.reason == reason


def test_claim_stays_while_a_pod_uses_it() -> None:
    claim = _claim()
    claim["metadata"]["deletionTimestamp"] = "2026-05-01T12:00:00Z"
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    user = {"metadata": {"name": "p"}, "spec": {"volumes": volumes}, "status": {"phase": "Running"}}
    assert _decide(claim, pods=(user,)) == ()
    (freed,) = _decide(claim, pods=({**user, "status": {"phase": "Succeeded"}},))
    assert isinstance(freed, Update)
    assert "finalizers" not in freed.object["metadata"]


def test_folder_that_was_made_goes_with_its_claim_and_others_are_released() -> None:
    (create,) = _decide(_claim())
    assert isinstance(create, Create)
    assert isinstance(decide_volume({**create.object, "status": {}}, None)[0], Delete)
    kept = _volume(claimRef={"namespace": "default", "name": "data", "uid": "c"}, persistentVolumeReclaimPolicy="Retain")
    (released,) = decide_volume(kept, None)
    assert isinstance(released, Update)
    assert released.object["status"]["phase"] == "Released"


@pytest.mark.parametrize(
    ("text", "number"), [("1Ki", 1024), ("1Gi", 2**30), ("1k", 1000), ("5", 5), ("500m", 0.5), ("1.5M", 1.5e6)]
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert float(quantity(text)) == number
