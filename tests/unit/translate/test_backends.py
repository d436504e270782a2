from itertools import product

import pytest

from remora.core.names import NamespacedName
from remora.kube.objects import ServiceBackendPort
from remora.model import Balancing
from remora.translate.backends import BackendRef, backend_key, backend_name


def ref(namespace: str, service: str, port: int | str) -> BackendRef:
    number, name = (port, "") if isinstance(port, int) else (0, port)
    return BackendRef(NamespacedName(namespace, service), ServiceBackendPort(number=number, name=name))


def test_the_backend_key_is_that_of_ingress_nginx() -> None:
    assert ref("shop", "web", 80).text == "shop-web-80"
    assert backend_key(ref("shop", "web", 80)) == "ad0f3520c2b4ae4ad7cae6da8d3345ed"


@pytest.mark.parametrize(
    ("balancing", "name"), [(Balancing.ROUND_ROBIN, "shop-web-http"), (Balancing.CONSISTENT_HASH, "shop-web-http@hash")]
)
def test_one_service_port_may_be_balanced_in_two_ways(balancing: Balancing, name: str) -> None:
    assert backend_name(ref("shop", "web", "http"), balancing) == name


def test_no_two_service_ports_have_the_same_name() -> None:
    parts = ["a", "b", "a-b", "b-a", "a-b-a"]
    ports: list[int | str] = [80, *parts]
    refs = [ref(namespace, service, port) for (namespace, service), port in product(product(parts, parts), ports)]
    names = {backend_name(one, balancing) for one in refs for balancing in Balancing}
    assert len(names) == len(refs) * len(Balancing)
