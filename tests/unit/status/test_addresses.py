from typing import Any

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.kube.objects import Ingress, Service
from remora.kube.objects.ingress import IngressLoadBalancerIngress
from remora.status.addresses import Addresses, PublishSettings, StatusPatch, decide_addresses, decide_patches, fairly
from remora.watch.snapshot import Snapshot

OURS = PublishSettings(service=NamespacedName("ingress-remora", "remora-controller"))


def _ip(*addresses: str) -> Addresses:
    return tuple(IngressLoadBalancerIngress(ip=address) for address in addresses)


def _service(status: dict[str, Any] | None = None, **spec: Any) -> Service:
    return msgspec.convert({"metadata": {"name": "s"}, "spec": spec, "status": status or {}}, Service)


def _ingress(name: str, *addresses: str) -> Ingress:
    status = {"loadBalancer": {"ingress": [{"ip": address, "ports": [{"port": 80}]} for address in addresses]}}
    return msgspec.convert({"metadata": {"name": name, "namespace": "shop"}, "status": status}, Ingress)


def _snapshot(*ingresses: Ingress) -> Snapshot:
    return Snapshot().changed(Ingress, {one.key: one for one in ingresses})


@pytest.mark.parametrize(
    ("service", "addresses"),
    [
        (_service(type="ClusterIP", clusterIP="10.0.0.1"), _ip("10.0.0.1")),
        (_service(type="ClusterIP", clusterIP="None"), ()),
        (_service(type="NodePort", clusterIP="10.0.0.1"), _ip("10.0.0.1")),
        (_service(type="NodePort", clusterIP="10.0.0.1", externalIPs=["9.9.9.9"]), _ip("9.9.9.9")),
        (
            _service({"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"ip": "1.1.1.1"}]}}, type="LoadBalancer"),
            _ip("1.1.1.1", "2.2.2.2"),
        ),
        (_service(type="LoadBalancer", externalIPs=["9.9.9.9"]), _ip("9.9.9.9")),
        (_service(type="ExternalName", externalName="a.test"), (IngressLoadBalancerIngress(hostname="a.test"),)),
    ],
)
def test_a_service_is_reached_where_its_type_says(service: Service, addresses: Addresses) -> None:
    assert decide_addresses(OURS, service) == addresses


def test_fixed_addresses_may_be_names() -> None:
    settings = PublishSettings(("lb.test", "1.1.1.1", "1.1.1.1"))
    assert decide_addresses(settings, None) == (IngressLoadBalancerIngress(hostname="lb.test"), *_ip("1.1.1.1"))


def test_nothing_is_written_when_nobody_said_or_the_service_is_missing() -> None:
    assert decide_addresses(PublishSettings(), None) is None
    assert decide_addresses(OURS, None) is None
    assert decide_addresses(PublishSettings(("1.1.1.1",), is_enabled=False), None) is None
    assert decide_patches(_snapshot(_ingress("a")), [_ingress("a").ref], None) == ()


def test_only_served_ingresses_that_say_something_else_are_patched() -> None:
    right, wrong, foreign = _ingress("right", "2.2.2.2", "1.1.1.1"), _ingress("wrong"), _ingress("foreign", "3.3.3.3")
    gone = _ingress("gone")
    wanted = _ip("1.1.1.1", "2.2.2.2")
    patches = decide_patches(_snapshot(right, wrong, foreign), [right.ref, wrong.ref, gone.ref], wanted)
    assert patches == (StatusPatch(wrong.key, wanted),)
    assert patches[0].body() == {"status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}]}}}


def test_namespaces_take_turns() -> None:
    patches = [StatusPatch(NamespacedName("noisy", str(number)), ()) for number in range(3)]
    quiet = StatusPatch(NamespacedName("quiet", "web"), ())
    assert fairly([*patches, quiet]) == (patches[0], quiet, *patches[1:])
