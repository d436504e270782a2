import msgspec

from remora.kube.objects import EndpointSlice, Ingress, KubernetesObject, Service
from remora.kube.objects.ingress import IngressLoadBalancerIngress, IngressLoadBalancerStatus, IngressStatus
from remora.watch.snapshot import Change
from remora.watch.store import EventType, Store, is_same
from tests.support.kubernetes import drained_pod, endpoint, endpoint_slice, ingress, named, rule, service


def with_metadata(obj: KubernetesObject, **fields: object) -> KubernetesObject:
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, **fields))


def test_coming_changing_and_going_are_changes() -> None:
    store = Store()
    first, second = ingress("shop/a", rule("a.example.com", "/")), ingress("shop/a", rule("b.example.com", "/"))
    change = Change(Ingress, named("shop/a"))
    assert store.apply(EventType.ADDED, first) == change
    assert store.apply(EventType.MODIFIED, second) == change
    assert store.apply(EventType.DELETED, second) == change
    assert store.snapshot.find(Ingress, named("shop/a")) is None
    assert store.take_changes() == (change,)
    assert store.take_changes() == ()


def test_an_event_that_comes_twice_is_one_change() -> None:
    store = Store()
    one = ingress("shop/a")
    assert store.apply(EventType.ADDED, one)
    assert store.apply(EventType.ADDED, one) is None
    assert store.apply(EventType.DELETED, one)
    assert store.apply(EventType.DELETED, one) is None


def test_a_new_status_is_kept_and_is_no_change() -> None:
    store = Store()
    store.apply(EventType.ADDED, ingress("shop/a"))
    address = IngressLoadBalancerStatus((IngressLoadBalancerIngress(ip="10.0.0.1"),))
    after = msgspec.structs.replace(ingress("shop/a"), status=IngressStatus(address))
    assert store.apply(EventType.MODIFIED, with_metadata(after, resource_version="7", generation=2)) is None
    kept = store.snapshot.find(Ingress, named("shop/a"))
    assert kept is not None
    assert kept.status.load_balancer == address


def test_the_time_of_the_last_change_of_endpoints_is_no_change() -> None:
    one = endpoint_slice("shop/web-1", "web", endpoint("10.0.0.1", "a"))
    labels = {**one.metadata.labels, "endpointslice.kubernetes.io/managed-by": "x"}
    later = with_metadata(one, annotations={"endpoints.kubernetes.io/last-change-trigger-time": "now"}, labels=labels)
    assert is_same(one, later)
    assert not is_same(one, endpoint_slice("shop/web-1", "web"))
    assert not is_same(one, None)
    assert is_same(None, None)


def test_a_relist_tells_what_came_changed_and_went() -> None:
    store = Store()
    store.replace(Service, [service("shop/stays"), service("shop/changes"), service("shop/goes")])
    store.apply(EventType.ADDED, endpoint_slice("shop/other-kind", "web"))
    store.take_changes()
    listed = [service("shop/stays"), service("shop/changes", type="ExternalName"), service("shop/comes")]
    changes = store.replace(Service, listed)
    assert {str(change.name) for change in changes} == {"shop/changes", "shop/goes", "shop/comes"}
    assert set(store.take_changes()) == set(changes)
    assert store.snapshot.find(EndpointSlice, named("shop/other-kind"))


def test_a_relist_without_news_is_no_change() -> None:
    store = Store()
    store.replace(Service, [service("shop/a")])
    assert store.replace(Service, [with_metadata(service("shop/a"), resource_version="9")]) == ()


def test_what_else_is_written_on_a_pod_is_no_change() -> None:
    store = Store()
    pod = drained_pod("shop/a")
    assert store.apply(EventType.ADDED, pod)
    annotations = {**pod.metadata.annotations, "other": "7"}
    counted = with_metadata(pod, annotations=annotations, labels={"a": "b"}, resource_version="9")
    assert store.apply(EventType.MODIFIED, counted) is None
    assert store.apply(EventType.MODIFIED, drained_pod("shop/a", "false"))


def test_what_nobody_reads_is_not_kept() -> None:
    store = Store()
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "nginx.ingress.kubernetes.io/affinity": "cookie"}
    store.apply(EventType.ADDED, with_metadata(ingress("shop/a"), annotations=annotations, labels={"app": "a"}, generation=3))
    kept = store.snapshot.find(Ingress, named("shop/a"))
    assert kept == with_metadata(ingress("shop/a"), annotations={"nginx.ingress.kubernetes.io/affinity": "cookie"})
    one = endpoint_slice("shop/web-1", "web", endpoint("10.0.0.1", "a"))
    store.apply(EventType.ADDED, with_metadata(one, labels={**one.metadata.labels, "x": "y"}, annotations=annotations))
    slice_ = store.snapshot.find(EndpointSlice, named("shop/web-1"))
    assert slice_ is not None
    assert (slice_.service, slice_.endpoints, slice_.metadata.annotations) == (one.service, one.endpoints, {})


def test_a_relist_keeps_the_objects_that_are_as_they_were() -> None:
    store = Store()
    store.replace(Service, [service("shop/a"), service("shop/b")])
    before = store.snapshot
    store.replace(Service, [service("shop/a"), service("shop/b")])
    assert store.snapshot is before
    store.replace(Service, [service("shop/a"), with_metadata(service("shop/b"), annotations={"a": "b"})])
    assert store.snapshot.find(Service, named("shop/a")) is before.find(Service, named("shop/a"))
    assert store.snapshot.find(Service, named("shop/b")) != before.find(Service, named("shop/b"))
