import hmac
from typing import Any

from remora.kube.objects import EndpointPort, EndpointSlice, ServiceBackendPort, ServicePort
from remora.model import Endpoint, EndpointState
from remora.translate.endpoints import PodsOfService, endpoint_key, endpoints, find_service_port
from tests.support.kubernetes import endpoint, endpoint_slice, service

PORT = ServicePort(80, "http", target_port=8080)


def found(*slices: EndpointSlice, port: ServicePort = PORT) -> tuple[Endpoint, ...]:
    return endpoints(slices, port, session_key=b"secret")


def test_the_key_is_a_keyed_hash_of_the_pod_and_its_port() -> None:
    (one,) = found(endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "web-a", uid="uid-a")))
    assert one.key == hmac.digest(b"secret", b"uid-a:8080", "sha256").hex()[:20]
    assert one == Endpoint(one.key, "10.0.0.1", 8080, "web-a")


def test_a_used_address_of_a_new_pod_has_a_new_key() -> None:
    old, new = (found(endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "a", uid=uid))) for uid in ("1", "2"))
    assert old[0].key != new[0].key


def test_without_a_pod_the_key_is_made_of_address_and_port() -> None:
    slices = endpoint_slice("shop/a", "web", endpoint("10.0.0.1"), endpoint("fd00::1"))
    keys = {one.address: one.key for one in found(slices)}
    assert keys == {
        "10.0.0.1": endpoint_key(b"secret", "10.0.0.1:8080", 8080),
        "fd00::1": endpoint_key(b"secret", "[fd00::1]:8080", 8080),
    }


def test_endpoints_are_ordered_by_key_whatever_the_slices_order() -> None:
    first = endpoint_slice("shop/a", "web", *(endpoint(f"10.0.0.{number}", f"a{number}") for number in range(5)))
    second = endpoint_slice("shop/b", "web", *(endpoint(f"10.0.1.{number}", f"b{number}") for number in range(5)))
    assert found(first, second) == found(second, first)
    assert [one.key for one in found(first, second)] == sorted(one.key for one in found(first, second))


def test_a_pod_that_is_listed_twice_counts_once_and_as_ready() -> None:
    ready = endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "a"))
    going = endpoint_slice("shop/b", "web", endpoint("10.0.0.1", "a", ready=False, terminating=True), endpoint("10.0.0.2", "b"))
    assert [one.state for one in found(ready, going)] == [EndpointState.ACTIVE] * 2


def test_a_slice_without_ports_uses_a_numeric_target_port() -> None:
    bare = endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "a"), ports=())
    assert [one.port for one in found(bare)] == [8080]
    assert [one.port for one in found(bare, port=ServicePort(80, "http"))] == [80]
    assert found(bare, port=ServicePort(80, "http", target_port="web")) == ()


def test_ports_of_other_protocols_and_without_number_are_passed_over() -> None:
    ports = (EndpointPort("http", 53, "UDP"), EndpointPort("http", None), EndpointPort("http", 8181))
    assert [one.port for one in found(endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "a"), ports=ports))] == [8181]


def test_a_port_out_of_range_gives_nothing() -> None:
    bare = endpoint_slice("shop/a", "web", endpoint("10.0.0.1", "a"), ports=(EndpointPort("http", 70000),))
    assert found(bare) == ()


def test_the_first_port_whose_number_target_or_name_fits_is_meant() -> None:
    ports = (ServicePort(8080, "a", target_port=80), ServicePort(80, "b"), ServicePort(53, "c", protocol="UDP"))
    web = service("shop/web", *ports)
    assert find_service_port(web, ServiceBackendPort(number=80)) is ports[0]
    assert find_service_port(web, ServiceBackendPort(name="b")) is ports[1]
    assert find_service_port(web, ServiceBackendPort(name="c")) is None
    assert find_service_port(web, ServiceBackendPort()) is None


def states(*parts: Any, cordoned: tuple[str, ...] = (), keeps_unready: bool = False) -> dict[str, str]:
    pods = PodsOfService({name: name for name in cordoned}, keeps_unready)
    found = endpoints((endpoint_slice("shop/a", "web", *parts),), PORT, session_key=b"secret", pods=pods)
    return {one.pod: one.state.value for one in found}


READY, CORDONED = endpoint("10.0.0.1", "ready"), endpoint("10.0.0.2", "cordoned")
LEAVING = endpoint("10.0.0.3", "leaving", ready=False, serving=True, terminating=True)
UNREADY = endpoint("10.0.0.4", "unready", ready=False, serving=False)


def test_a_cordoned_pod_drains_beside_a_ready_one() -> None:
    assert states(READY, CORDONED, cordoned=("cordoned",)) == {"ready": "active", "cordoned": "draining"}


def test_new_sessions_go_to_the_best_that_there_is() -> None:
    both = states(CORDONED, LEAVING, cordoned=("cordoned",))
    assert both == {"cordoned": "active", "leaving": "draining"}
    assert states(LEAVING) == {"leaving": "active"}
    assert states(CORDONED, cordoned=("cordoned",)) == {"cordoned": "active"}
    # A cordoned pod that ends is a pod that ends.
    assert states(READY, LEAVING, cordoned=("leaving",)) == {"ready": "active", "leaving": "draining"}


def test_a_pod_that_is_not_ready_drains_where_that_is_asked_for_and_never_gets_new_sessions() -> None:
    assert states(READY, UNREADY) == {"ready": "active"}
    assert states(READY, UNREADY, keeps_unready=True) == {"ready": "active", "unready": "draining"}
    assert states(UNREADY, keeps_unready=True) == {"unready": "draining"}
    assert states(LEAVING, UNREADY, keeps_unready=True) == {"leaving": "active", "unready": "draining"}
    gone = endpoint("10.0.0.5", "gone", ready=False, serving=False, terminating=True)
    assert states(gone, keeps_unready=True) == {}


def test_the_mark_of_a_former_pod_of_the_name_does_not_count() -> None:
    new = endpoint("10.0.0.2", "web-0", uid="new")
    pods = PodsOfService({"web-0": "old"})
    one, other = endpoints((endpoint_slice("shop/a", "web", READY, new),), PORT, session_key=b"secret", pods=pods)
    assert one.state is other.state is EndpointState.ACTIVE
