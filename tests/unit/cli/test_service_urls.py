"""From a Service to its URLs."""

from typing import Any

from remora.cli.urls import service_urls


def service(*ports: dict[str, Any], address: str = "", **spec: Any) -> dict[str, Any]:
    ingress = [{"ip": address}] if address else []
    return {
        "spec": {"clusterIP": "127.64.128.9", "ports": list(ports), **spec},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def test_a_load_balancer_is_reached_at_its_address() -> None:
    assert service_urls(service({"port": 8080}, address="127.64.192.1")) == ["http://127.64.192.1:8080"]


def test_a_cluster_ip_is_reached_at_its_cluster_ip() -> None:
    assert service_urls(service({"port": 80})) == ["http://127.64.128.9"]


def test_https_is_told_by_name_or_number() -> None:
    found = service_urls(service({"port": 443}, {"port": 8443, "name": "https"}, address="127.0.0.1"))
    assert found == ["https://127.0.0.1", "https://127.0.0.1:8443"]


def test_headless_services_and_udp_have_no_url() -> None:
    assert service_urls(service({"port": 80}, clusterIP="None")) == []
    assert service_urls(service({"port": 53, "protocol": "UDP"})) == []


def test_the_node_port_stands_in_for_an_address_that_could_not_be_listened_on() -> None:
    message = "LoadBalancer 127.64.192.2:80 may only be used by root"
    blocked = {"type": "remora.io/Listening", "status": "False", "reason": "AddressNotPermitted", "message": message}
    ports = [{"port": 80, "nodePort": 30002}, {"port": 8080, "nodePort": 30003}]
    status = {"loadBalancer": {"ingress": [{"ip": "127.64.192.2"}]}, "conditions": [blocked]}
    found = {"spec": {"type": "LoadBalancer", "ports": ports}, "status": status}
    assert service_urls(found) == ["http://127.0.0.1:30002", "http://127.64.192.2:8080"]
    blocked["message"] += "; NodePort 127.0.0.1:30002 is in use by caddy run (pid 17)"
    assert service_urls(found) == ["http://127.64.192.2", "http://127.64.192.2:8080"]
