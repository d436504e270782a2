import pytest

from remora.kube.objects import DnsAnswer, ObjectMeta, ServiceBackendPort, ServicePort
from remora.translate.external_names import external_endpoints, find_external_port, find_name_fault
from remora.translate.service_address import find_service_endpoint
from tests.support.kubernetes import service


@pytest.mark.parametrize("name", ["db.example.com", "db", "db.example.com.", "1a.example", "x--y.example"])
def test_dns_names_are_looked_up(name: str) -> None:
    assert find_name_fault(name) == ""


@pytest.mark.parametrize(
    "name",
    ["", ".", "127.0.0.1", "192.0.2.1", "::1", "[::1]", "localhost", "localhost.", "a.localhost", "ip6-loopback", "a_b.example",
     "a..b", "-a.example", "a-.example", "a b", "a\nb", "x" * 64 + ".example", "a." * 130],
)  # fmt: skip
def test_other_names_are_not(name: str) -> None:
    assert find_name_fault(name)


@pytest.mark.parametrize(
    ("port", "found"),
    [(80, 8443), (81, 81), (82, 82), (443, 443), ("http", 8443), ("named", 81), ("none", None), (0, None), (70000, None)],
)
def test_listed_ports_lead_to_their_targets_and_other_numbers_to_themselves(port: int | str, found: int | None) -> None:
    ports = (ServicePort(80, "http", target_port=8443), ServicePort(81, "named", target_port="web"), ServicePort(82, "same"))
    wanted = ServiceBackendPort(number=port) if isinstance(port, int) else ServiceBackendPort(name=port)
    assert find_external_port(service("shop/ext", *ports, type="ExternalName"), wanted) == found


def test_the_same_address_is_the_same_endpoint_whatever_the_order_of_the_answer() -> None:
    one, other = (DnsAnswer(ObjectMeta("db"), addresses) for addresses in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")))
    assert external_endpoints(one, 80, session_key=b"k") == external_endpoints(other, 80, session_key=b"k")
    assert external_endpoints(None, 80, session_key=b"k") == ()


@pytest.mark.parametrize("address", ["", "None"])
def test_a_headless_service_has_no_endpoint_of_its_own(address: str) -> None:
    headless = service("shop/web", cluster_ip=address)
    assert find_service_endpoint(headless, ServiceBackendPort(number=80), session_key=b"k") is None
