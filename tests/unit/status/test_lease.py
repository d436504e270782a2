from typing import Any

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import ObjectMeta
from remora.kube.objects.lease import Lease, LeaseSpec
from remora.status.lease import DEADLINE_PART, Observed, free_at, lease_body, observe

PLACE = NamespacedName("ingress-remora", "ingress-controller-leader")
NOW = "2026-01-01T00:00:00.000000Z"


def _lease(holder: str | None, *, renewed: str = NOW, seconds: int | None = 30) -> Lease:
    spec = LeaseSpec(holder_identity=holder, lease_duration_seconds=seconds, renew_time=renewed, lease_transitions=3)
    return Lease(ObjectMeta(PLACE.name, PLACE.namespace, resource_version="7", labels={"kept": "yes"}), spec=spec)


def _body(before: Lease | None, holder: str) -> dict[str, Any]:
    return lease_body(PLACE, before, holder=holder, time_to_live=30.0, now=NOW)


def test_a_lease_of_nobody_or_of_oneself_is_free_at_once() -> None:
    for lease in (None, _lease(None), _lease(""), _lease("me")):
        assert free_at(Observed(lease, 5.0), "me", 30.0) == 5.0


def test_anothers_lease_is_free_when_it_was_seen_unchanged_for_its_duration() -> None:
    assert free_at(Observed(_lease("you", seconds=12), 5.0), "me", 30.0) == 17.0
    assert free_at(Observed(_lease("you", seconds=None), 5.0), "me", 30.0) == 35.0


def test_the_holders_clock_does_not_matter() -> None:
    first = observe(None, _lease("you", renewed="1999-01-01T00:00:00.000000Z"), 5.0)
    assert free_at(first, "me", 30.0) == 35.0
    again = observe(first, _lease("you", renewed="1999-01-01T00:00:00.000000Z"), 20.0)
    assert free_at(again, "me", 30.0) == 35.0
    renewed = observe(again, _lease("you", renewed="1999-01-01T00:00:09.000000Z"), 21.0)
    assert free_at(renewed, "me", 30.0) == 51.0


def test_a_leader_ceases_to_lead_before_another_may_follow() -> None:
    assert DEADLINE_PART < 1


def test_taking_a_lease_counts_as_a_change_of_hands_and_keeps_what_others_wrote() -> None:
    body = _body(_lease("you"), "me")
    assert body["metadata"] | {"annotations": {}} == {
        "name": PLACE.name,
        "namespace": PLACE.namespace,
        "resourceVersion": "7",
        "labels": {"kept": "yes"},
        "annotations": {},
    }
    assert (body["spec"]["holderIdentity"], body["spec"]["leaseTransitions"]) == ("me", 4)
    assert _body(_lease("me"), "me")["spec"]["leaseTransitions"] == 3
    assert _body(None, "me")["spec"]["leaseTransitions"] == 0


def test_a_lease_that_is_given_back_names_nobody() -> None:
    body = _body(_lease("me"), "")
    given_back = msgspec.convert(body, Lease)
    assert given_back.spec.holder_identity is None
    assert given_back.spec.lease_duration_seconds == 1
    assert given_back.spec.lease_transitions == 3
