import pytest

from remora.core.names import ANY_HOST, Hostname, NamespacedName
from remora.kube.objects import EndpointSlice, Ingress, IngressClass
from remora.watch.snapshot import Change, Index, IndexKey, Snapshot, index_keys, normal_host
from tests.support.kubernetes import endpoint_slice, ingress, ingress_class, named, rule, service_backend


def of_host(host: str) -> IndexKey:
    return IndexKey(Index.INGRESSES_OF_HOST, Hostname(host))


def with_ingress(snapshot: Snapshot, one: Ingress) -> Snapshot:
    return snapshot.changed(Ingress, {one.key: one})


def test_an_older_snapshot_is_not_touched_by_a_newer() -> None:
    first = with_ingress(Snapshot(), ingress("shop/a", rule("a.example.com", "/")))
    second = with_ingress(first, ingress("shop/a", rule("b.example.com", "/")))
    third = second.changed(Ingress, {named("shop/a"): None})
    assert first.indexed(of_host("a.example.com")) == second.indexed(of_host("b.example.com")) == (named("shop/a"),)
    assert first.indexed(of_host("b.example.com")) == second.indexed(of_host("a.example.com")) == ()
    assert third.find(Ingress, named("shop/a")) is None
    assert second.find(Ingress, named("shop/a")) is not None


def test_a_host_without_ingress_is_no_host() -> None:
    snapshot = with_ingress(Snapshot(), ingress("shop/a", rule("a.example.com", "/")))
    assert list(snapshot.hosts()) == ["a.example.com"]
    assert list(snapshot.changed(Ingress, {named("shop/a"): None}).hosts()) == []


def test_names_of_an_index_entry_are_in_order() -> None:
    snapshot = Snapshot()
    for name in ("shop/b", "shop/a", "other/c"):
        snapshot = with_ingress(snapshot, ingress(name, rule("a.example.com", "/")))
    assert [str(name) for name in snapshot.indexed(of_host("a.example.com"))] == ["other/c", "shop/a", "shop/b"]


@pytest.mark.parametrize("text", ["Web.Example.COM", "web.example.com."])
def test_hosts_are_compared_in_lower_case_and_without_the_last_dot(text: str) -> None:
    assert normal_host(text) == "web.example.com"


def test_many_ingresses_of_a_host_may_come_at_once() -> None:
    both = [ingress(name, rule("a.example.com", "/")) for name in ("shop/b", "shop/a")]
    snapshot = Snapshot().changed(Ingress, {one.key: one for one in both})
    assert [str(name) for name in snapshot.indexed(of_host("a.example.com"))] == ["shop/a", "shop/b"]


def test_a_bare_default_backend_belongs_to_any_host() -> None:
    assert index_keys(Ingress, ingress("shop/a", default=service_backend("web"))) == {of_host(ANY_HOST)}
    assert index_keys(Ingress, ingress("shop/a")) == frozenset()


def test_slices_are_found_by_their_service() -> None:
    one = endpoint_slice("shop/web-1", "web")
    nobodys = endpoint_slice("shop/x", "")
    snapshot = Snapshot().changed(EndpointSlice, {one.key: one, nobodys.key: nobodys})
    assert snapshot.indexed(IndexKey(Index.SLICES_OF_SERVICE, named("shop/web"))) == (one.key,)
    assert {slice_.key for slice_ in snapshot.all(EndpointSlice)} == {one.key, nobodys.key}


def test_kinds_without_an_index_are_found_by_name() -> None:
    one = ingress_class("nginx")
    snapshot = Snapshot().changed(IngressClass, {one.key: one})
    assert snapshot.find(IngressClass, NamespacedName("", "nginx")) is one
    assert list(snapshot.names(IngressClass)) == [one.key]
    assert index_keys(IngressClass, one) == index_keys(Ingress, None) == frozenset()


def test_some_changes_are_followed_as_if_the_others_had_not_happened_yet() -> None:
    old = with_ingress(Snapshot(), ingress("shop/gone", rule("a.example.com", "/")))
    new = with_ingress(old.changed(Ingress, {named("shop/gone"): None}), ingress("shop/b", rule("b.example.com", "/")))
    changes = [Change(Ingress, named("shop/gone")), Change(Ingress, named("shop/b"))]
    part = old.following(new, changes[1:])
    assert sorted(part.hosts()) == ["a.example.com", "b.example.com"]
    assert sorted(part.following(new, changes[:1]).hosts()) == ["b.example.com"]


def test_names_of_an_index_stand_in_order_however_they_came_and_went() -> None:
    names = [f"shop/{letter}" for letter in "hbfacgdeklmnopqrstuvwxyz"]
    objects = {named(name): ingress(name, rule("a.example.com")) for name in names}
    at_once = Snapshot().changed(Ingress, objects)
    one_by_one = Snapshot()
    for name, obj in objects.items():
        one_by_one = one_by_one.changed(Ingress, {name: obj})
    assert at_once.indexed(of_host("a.example.com")) == one_by_one.indexed(of_host("a.example.com")) == tuple(sorted(objects))
    rest = one_by_one.changed(Ingress, {named("shop/c"): None, named("shop/i"): ingress("shop/i", rule("a.example.com"))})
    assert rest.indexed(of_host("a.example.com")) == tuple(sorted({*objects, named("shop/i")} - {named("shop/c")}))
    assert rest.changed(Ingress, dict.fromkeys(rest.names(Ingress))).indexed(of_host("a.example.com")) == ()
