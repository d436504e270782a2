"""What is done at once, since little depends on it."""

import pytest

from remora.kube.objects import ConfigMap, EndpointSlice, Ingress, KubernetesObject, Secret, Service
from remora.watch.light import MOST_CHANGES, MOST_RULES, is_light
from remora.watch.snapshot import Change, Snapshot
from tests.support.kubernetes import ingress, named, rule


def with_ingresses(*objects: Ingress) -> Snapshot:
    return Snapshot().changed(Ingress, {one.key: one for one in objects})


EMPTY = Snapshot()
ONE = with_ingresses(ingress("shop/a", rule("a.example.com")))
CROWDED = with_ingresses(*(ingress(f"shop/i{number}", rule("a.example.com")) for number in range(MOST_RULES)))


@pytest.mark.parametrize(("before", "after"), [(EMPTY, ONE), (ONE, EMPTY), (ONE, ONE)])
def test_an_ingress_with_hosts_of_its_own_is_light(before: Snapshot, after: Snapshot) -> None:
    assert is_light([Change(Ingress, named("shop/a"))], before, after)


def test_an_ingress_whose_host_has_many_is_not_whether_it_comes_or_goes() -> None:
    further = ingress("shop/a", rule("a.example.com"))
    together = CROWDED.changed(Ingress, {further.key: further})
    changes = [Change(Ingress, further.key)]
    assert not is_light(changes, CROWDED, together)
    assert not is_light(changes, together, CROWDED)


@pytest.mark.parametrize("kind", [Secret, Service, ConfigMap])
def test_what_all_ingresses_may_name_is_not(kind: type[KubernetesObject]) -> None:
    assert not is_light([Change(kind, named("shop/a"))], EMPTY, EMPTY)


def test_many_changes_are_not() -> None:
    changes = [Change(EndpointSlice, named(f"shop/{number}")) for number in range(MOST_CHANGES + 1)]
    assert is_light(changes[1:], EMPTY, EMPTY)
    assert not is_light(changes, EMPTY, EMPTY)
