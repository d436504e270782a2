"""Services and EndpointSlices to listeners and servers."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.services.table import Server, Table
from remora.cluster.services.translate import translate

NODE = ("127.64.255.254", "127.0.0.1")


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    status = spec.pop("status", {})
    created = spec.pop("created", "2026-01-01T00:00:00Z")
    spec = {"clusterIP": "127.64.128.9", "ports": [{"name": "http", "port": 80}], **spec}
    meta = {"namespace": "default", "name": name, "creationTimestamp": created, "uid": name}
    return {"metadata": meta, "spec": spec, "status": status}


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def slice_(*endpoints: dict[str, Any], name: str = "web", port: int = 8080, port_name: str = "http") -> dict[str, Any]:
    meta = {"namespace": "default", "name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}}
    return {"metadata": meta, "ports": [{"name": port_name, "port": port}], "endpoints": list(endpoints)}


def table(*services: dict[str, Any], slices: tuple[dict[str, Any], ...] = ()) -> Table:
    return translate(services, slices, node_addresses=NODE)


def places(found: Table) -> list[str]:
    return [f"{listener} {listener.role}" for listener in found.listeners]


def test_a_cluster_ip_service_listens_at_its_cluster_ip() -> None:
    assert places(table(service())) == ["127.64.128.9:80 ClusterIP"]


def test_a_headless_service_does_not_listen() -> None:
    assert table(service(clusterIP="None")) == Table()


def test_an_external_name_does_not_listen() -> None:
    assert table(service(type="ExternalName", externalName="example.com")) == Table()


def test_a_node_port_listens_on_the_node_and_on_localhost() -> None:
    found = table(service(type="NodePort", ports=[{"name": "http", "port": 80, "nodePort": 30080}]))
    assert places(found) == ["127.0.0.1:30080 NodePort", "127.64.128.9:80 ClusterIP", "127.64.255.254:30080 NodePort"]


def test_a_load_balancer_listens_once_it_has_an_address() -> None:
    assert places(table(service(type="LoadBalancer"))) == ["127.64.128.9:80 ClusterIP"]
    status = {"loadBalancer": {"ingress": [{"ip": "127.64.192.1"}]}}
    assert "127.64.192.1:80 LoadBalancer" in places(table(service(type="LoadBalancer", status=status)))


def test_the_older_service_keeps_a_contested_address() -> None:
    old, new = service("old", created="2026-01-01T00:00:00Z"), service("new", created="2026-01-02T00:00:00Z")
    found = table(new, old)
    assert [listener.service.name for listener in found.listeners] == ["old"]
    assert [(problem.code, problem.object.name.name) for problem in found.problems] == [("AddressInUse", "new")]


def test_udp_is_reported_and_costs_only_itself() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "http", "port": 80}]
    found = table(service(ports=ports))
    assert [backend.name for backend in found.backends] == ["default_web_http"]
    assert [problem.code for problem in found.problems] == ["ProtocolNotCarried"]


def test_new_connections_go_to_ready_endpoints() -> None:
    slices = slice_(endpoint("127.64.0.1", ready=True), endpoint("127.64.0.2", ready=False), endpoint("127.64.0.3"))
    assert table(service(), slices=(slices,)).backends[0].servers == (Server("127.64.0.1", 8080), Server("127.64.0.3", 8080))


def test_terminating_endpoints_serve_when_none_is_ready() -> None:
    slices = slice_(
        endpoint("127.64.0.1", ready=False, serving=True, terminating=True),
        endpoint("127.64.0.2", ready=False, serving=False, terminating=True),
    )
    assert table(service(), slices=(slices,)).backends[0].servers == (Server("127.64.0.1", 8080),)


def test_a_port_is_found_by_name() -> None:
    slices = slice_(endpoint("127.64.0.1", ready=True), port_name="metrics", port=9090)
    assert table(service(), slices=(slices,)).backends[0].servers == ()


def test_an_endpoint_that_is_no_address_never_reaches_the_configuration() -> None:
    slices = slice_(endpoint("127.64.0.1\n  bind :1", ready=True), endpoint("fe80::1", ready=True))
    assert table(service(), slices=(slices,)).backends[0].servers == ()


@given(st.permutations([service("a"), service("b"), service("c", clusterIP="127.64.128.10")]))
def test_the_order_of_objects_does_not_matter(services: list[dict[str, Any]]) -> None:
    slices = (slice_(endpoint("127.64.0.1", ready=True), name="a"),)
    assert table(*services, slices=slices) == table(
        service("a"), service("b"), service("c", clusterIP="127.64.128.10"), slices=slices
    )
