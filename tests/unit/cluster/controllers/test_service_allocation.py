"""Addresses and node ports of Services."""

from typing import Any

import pytest

from remora.cluster.addresses import Network
from remora.cluster.api.errors import ApiError
from remora.cluster.objects import Object, key_of
from remora.cluster.services.allocation import ServiceAllocator
from remora.core.names import NamespacedName

NETWORK = Network(0)


class Stored:
    """A registry of Services with the allocator as its admission."""

    def __init__(self) -> None:
        self.services: dict[NamespacedName, Object] = {}
        self.allocator = ServiceAllocator(network=NETWORK, services=(), find=self.services.get)

    def put(self, name: str, **spec: Any) -> Object:
        service = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}
        key = key_of(service)
        self.services[key] = self.allocator.admit(service, self.services.get(key))
        return self.services[key]

    def refused(self, name: str, **spec: Any) -> str:
        with pytest.raises(ApiError) as refused:
            self.put(name, **spec)
        assert refused.value.reason == "Invalid"
        return str(refused.value.causes[0])


@pytest.fixture
def stored() -> Stored:
    return Stored()


def test_cluster_ips_differ_and_stay(stored: Stored) -> None:
    one, two = stored.put("one"), stored.put("two")
    assert one["spec"]["clusterIP"] != two["spec"]["clusterIP"]
    assert one["spec"]["clusterIPs"] == [one["spec"]["clusterIP"]]
    assert stored.put("one")["spec"]["clusterIP"] == one["spec"]["clusterIP"]


def test_address_asked_for_is_given_if_it_is_free(stored: Stored) -> None:
    assert stored.put("one", clusterIP="127.64.128.1")["spec"]["clusterIP"] == "127.64.128.1"
    assert "already allocated" in stored.refused("two", clusterIP="127.64.128.1")
    assert "not in the valid range" in stored.refused("two", clusterIP="10.0.0.1")


def test_cluster_ip_may_not_change(stored: Stored) -> None:
    stored.put("one")
    refusal = stored.refused("one", clusterIP="127.64.128.77")
    assert refusal.endswith('Invalid value: ["127.64.128.77"]: may not change once set')


def test_headless_and_external_name_have_none(stored: Stored) -> None:
    assert stored.put("headless", clusterIP="None")["spec"]["clusterIPs"] == ["None"]
    given = stored.put("web")["spec"]["clusterIP"]
    renamed = stored.put("web", type="ExternalName", externalName="example.com", clusterIP=given)
    assert "clusterIP" not in renamed["spec"]
    assert "may not be set" in stored.refused("web", type="ExternalName", externalName="a.b", clusterIP="127.64.128.99")
    assert "clusterIP" not in stored.put("alias", type="ExternalName", externalName="example.com")["spec"]


def test_node_ports_are_kept_by_service_port_and_dropped_with_the_type(stored: Stored) -> None:
    first = stored.put("one", type="NodePort", ports=[{"port": 80}, {"port": 443}])
    numbers = [port["nodePort"] for port in first["spec"]["ports"]]
    assert len(set(numbers)) == 2
    again = stored.put("one", type="NodePort", ports=[{"port": 443}, {"port": 80}])
    assert [port["nodePort"] for port in again["spec"]["ports"]] == numbers[::-1]
    assert "nodePort" not in stored.put("one", ports=[{"port": 80}])["spec"]["ports"][0]
    assert stored.put("two", type="NodePort", ports=[{"port": 80, "nodePort": numbers[0]}])


def test_node_port_that_is_taken_or_out_of_range_is_refused(stored: Stored) -> None:
    stored.put("one", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    taken = stored.refused("two", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    assert taken == "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    outside = stored.refused("two", type="NodePort", ports=[{"port": 80, "nodePort": 80}])
    assert outside.endswith("The range of valid ports is 30000-32767")


def test_load_balancer_gets_an_address_keeps_it_and_loses_it_with_the_type(stored: Stored) -> None:
    def address(service: Object) -> str:
        return str(service["status"]["loadBalancer"]["ingress"][0]["ip"])

    one, two = stored.put("one", type="LoadBalancer"), stored.put("two", type="LoadBalancer")
    assert address(one) != address(two)
    assert address(stored.put("one", type="LoadBalancer", ports=[{"port": 81}])) == address(one)
    assert stored.put("one")["status"]["loadBalancer"] == {}
    assert address(stored.put("three", type="LoadBalancer", loadBalancerIP=address(one))) == address(one)
    assert "already allocated" in stored.refused("four", type="LoadBalancer", loadBalancerIP=address(one))


def test_localhost_may_be_shared_by_load_balancers(stored: Stored) -> None:
    for name in ("one", "two"):
        service = stored.put(name, type="LoadBalancer", loadBalancerIP="127.0.0.1")
        assert service["status"]["loadBalancer"]["ingress"] == [{"ip": "127.0.0.1", "ipMode": "VIP"}]


def test_removed_service_sets_its_addresses_free_even_unannounced(stored: Stored) -> None:
    address = stored.put("one")["spec"]["clusterIP"]
    del stored.services[NamespacedName("default", "one")]
    assert stored.put("two", clusterIP=address)["spec"]["clusterIP"] == address


def test_allocator_knows_what_was_stored_before(stored: Stored) -> None:
    address = stored.put("one", type="NodePort")["spec"]["clusterIP"]
    later = ServiceAllocator(network=NETWORK, services=stored.services.values(), find=stored.services.get)
    other = {"metadata": {"name": "two", "namespace": "default"}, "spec": {"clusterIP": address, "ports": []}}
    with pytest.raises(ApiError):
        later.admit(other, None)
    later.release(stored.services[NamespacedName("default", "one")])
    assert later.admit(other, None)["spec"]["clusterIP"] == address


def test_profiles_side_by_side_begin_with_different_node_ports() -> None:
    def first(index: int) -> int:
        allocator = ServiceAllocator(network=Network(index), services=(), find=lambda _: None)
        service = {"metadata": {"name": "one", "namespace": "default"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        return int(allocator.admit(service, None)["spec"]["ports"][0]["nodePort"])

    assert first(0) == 30000
    assert len({first(index) for index in range(151)}) == 151
