"""What a change costs: only the units that read what changed run again."""

from typing import Any

import msgspec
import pytest

from remora.core.settings import RoutingSettings
from remora.kube.objects.ingress import IngressLoadBalancerIngress, IngressLoadBalancerStatus, IngressStatus
from remora.model import ForwardTo
from remora.translate import Translator
from remora.translate.units import Units
from remora.translate.view import Unit, View
from remora.watch.store import EventType, Store
from tests.support.kubernetes import drained_pod, endpoint, endpoint_slice, ingress, ingress_class, named, rule, service

SETTINGS = RoutingSettings(session_key=b"k")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The units that run, by kind and what they are about."""
    names: list[str] = []
    run = Units._run

    def noted(self: Units, unit: Unit[Any]) -> None:
        names.append(type(unit).__name__)
        run(self, unit)

    monkeypatch.setattr(Units, "_run", noted)
    return names


@pytest.fixture
def store() -> Store:
    store = Store()
    store.apply(EventType.ADDED, ingress_class("nginx"))
    for letter in "abc":
        store.apply(EventType.ADDED, service(f"shop/{letter}"))
        store.apply(EventType.ADDED, endpoint_slice(f"shop/{letter}", letter, endpoint("10.0.0.1", letter)))
        store.apply(EventType.ADDED, ingress(f"shop/{letter}", rule(f"{letter}.example.com", "/", service=letter)))
    return store


def test_a_pod_runs_its_backend_alone(store: Store, ran: list[str]) -> None:
    translator = Translator(SETTINGS)
    before = translator.translate(store.snapshot, store.take_changes())
    ran.clear()
    store.apply(EventType.MODIFIED, endpoint_slice("shop/b", "b", endpoint("10.0.0.1", "b"), endpoint("10.0.0.2", "b2")))
    after = translator.translate(store.snapshot, store.take_changes())
    assert ran == ["BackendUnit"]
    assert after.model.virtual_hosts is before.model.virtual_hosts
    assert after.problems is before.problems
    assert [len(backend.endpoints) for backend in after.model.backends] == [1, 2, 1]


def test_an_ingress_runs_itself_and_its_hosts(store: Store, ran: list[str]) -> None:
    translator = Translator(SETTINGS)
    translator.translate(store.snapshot, store.take_changes())
    ran.clear()
    changed = ingress("shop/b", rule("b.example.com", "/", "/x", service="b"), rule("new.example.com", "/", service="a"))
    store.apply(EventType.MODIFIED, changed)
    after = translator.translate(store.snapshot, store.take_changes())
    assert sorted(ran) == ["HostUnit", "HostUnit", "IngressUnit"]
    assert [len(host.routes) for host in after.model.virtual_hosts] == [1, 2, 1, 1]


def test_a_backend_goes_with_its_last_route(store: Store) -> None:
    translator = Translator(SETTINGS)
    translator.translate(store.snapshot, store.take_changes())
    store.apply(EventType.DELETED, ingress("shop/b"))
    after = translator.translate(store.snapshot, store.take_changes())
    assert [one.name for one in after.model.backends] == ["shop-a-80", "shop-c-80"]
    assert [str(one.name) for one in after.published] == ["shop/a", "shop/c"]


def test_an_annotated_pod_runs_the_backends_in_which_it_stands(store: Store, ran: list[str]) -> None:
    translator = Translator(SETTINGS)
    pods = (endpoint("10.0.1.1", "one"), endpoint("10.0.1.2", "two"))
    store.apply(EventType.ADDED, endpoint_slice("shop/b-2", "b", *pods))
    translator.translate(store.snapshot, store.take_changes())
    ran.clear()
    store.apply(EventType.ADDED, drained_pod("shop/one"))
    store.apply(EventType.ADDED, drained_pod("other/two"))
    after = translator.translate(store.snapshot, store.take_changes())
    assert sorted(ran) == ["BackendUnit", "PodUnit", "PodUnit"]
    states = {one.pod: one.state.value for backend in after.model.backends for one in backend.endpoints}
    assert (states["one"], states["two"]) == ("draining", "active")
    store.apply(EventType.DELETED, drained_pod("shop/one"))
    again = translator.translate(store.snapshot, store.take_changes())
    assert all(one.state.value == "active" for backend in again.model.backends for one in backend.endpoints)


def test_a_pod_with_an_unreadable_mark_goes_on_and_says_so(store: Store) -> None:
    store.apply(EventType.ADDED, endpoint_slice("shop/b-2", "b", endpoint("10.0.1.1", "one"), endpoint("10.0.1.2", "two")))
    store.apply(EventType.ADDED, drained_pod("shop/one", "perhaps"))
    after = Translator(SETTINGS).translate(store.snapshot, None)
    assert all(one.state.value == "active" for backend in after.model.backends for one in backend.endpoints)
    (problem,) = after.problems
    assert (problem.object.kind, str(problem.object.name), problem.code) == ("Pod", "shop/one", "AnnotationRefused")


def test_a_class_that_comes_later_is_noticed(store: Store) -> None:
    translator = Translator(SETTINGS)
    store.apply(EventType.DELETED, ingress_class("nginx"))
    without = translator.translate(store.snapshot, store.take_changes())
    assert without.published == ()
    assert without.model.virtual_hosts == ()
    assert {one.code for one in without.problems} == {"ClassMissing"}
    store.apply(EventType.ADDED, ingress_class("nginx"))
    assert len(translator.translate(store.snapshot, store.take_changes()).published) == 3


def test_a_class_that_does_not_exist_is_told_and_one_of_another_controller_is_not(store: Store) -> None:
    store.apply(EventType.ADDED, ingress_class("alb", "ingress.k8s.aws/alb"))
    store.apply(EventType.ADDED, ingress("shop/theirs", rule("x.example"), class_name="alb"))
    store.apply(EventType.ADDED, ingress("shop/lost", rule("x.example"), class_name="ngnix"))
    old = ingress("shop/old", rule("x.example"), class_name=None, annotations={"kubernetes.io/ingress.class": "ngnix"})
    store.apply(EventType.ADDED, old)
    translator = Translator(SETTINGS)
    (problem,) = translator.translate(store.snapshot, None).problems
    said = "Ingress shop/lost: spec.ingressClassName: there is no IngressClass ngnix; the Ingress is not served"
    assert (problem.code, str(problem)) == ("ClassMissing", said)
    store.take_changes()
    store.apply(EventType.ADDED, ingress_class("ngnix", "example.com/other"))
    assert translator.translate(store.snapshot, store.take_changes()).problems == ()


def test_nothing_changed_is_the_same_translation(store: Store, ran: list[str]) -> None:
    translator = Translator(SETTINGS)
    before = translator.translate(store.snapshot, None)
    ran.clear()
    after = translator.translate(store.snapshot, ())
    assert ran == []
    assert after.model is before.model
    assert after == before


def test_route_ids_survive_every_change_of_the_settings(store: Store) -> None:
    translator = Translator(SETTINGS)
    before = translator.translate(store.snapshot, None).model.virtual_hosts[0].routes[0]
    annotated = ingress("shop/a", rule("a.example.com", "/", service="b"), annotations={"affinity": "cookie"})
    store.apply(EventType.MODIFIED, annotated)
    after = translator.translate(store.snapshot, store.take_changes()).model.virtual_hosts[0].routes[0]
    assert before.id == after.id
    assert len(before.id) == 16
    assert isinstance(after.action, ForwardTo)
    assert after.action.backend == "shop-b-80@hash"
    assert after.origin == named("shop/a")


def test_a_unit_says_what_it_is_by_running() -> None:
    with pytest.raises(NotImplementedError):
        Unit().run(View(Store().snapshot, SETTINGS, outcome_of=lambda unit: unit))


def test_a_status_is_passed_over_and_the_next_change_is_seen_from_behind_it(store: Store, ran: list[str]) -> None:
    translator = Translator(SETTINGS)
    translator.translate(store.snapshot, store.take_changes())
    told = IngressStatus(IngressLoadBalancerStatus((IngressLoadBalancerIngress(ip="192.0.2.1"),)))
    shown = msgspec.structs.replace(ingress("shop/b", rule("b.example.com", "/", service="b")), status=told)
    assert store.apply(EventType.MODIFIED, shown) is None
    translator.overtake(store.snapshot)
    ran.clear()
    store.apply(EventType.MODIFIED, msgspec.structs.replace(shown, spec=ingress("x/y", rule("new.example.com", "/")).spec))
    after = translator.translate(store.snapshot, store.take_changes())
    assert sorted(ran)[-1] == "IngressUnit"
    fresh = Translator(SETTINGS).translate(store.snapshot, None)
    assert (after.model, after.problems, after.published) == (fresh.model, fresh.problems, fresh.published)
