"""The table as HAProxy's configuration."""

from remora.cluster.services.configuration import configure
from remora.cluster.services.table import Backend, Listener, Server, Table
from remora.core.names import NamespacedName

NAME = NamespacedName("default", "web")
TABLE = Table(
    (
        Listener("127.0.0.1", 30080, "default_web_http", NAME, "NodePort"),
        Listener("127.64.128.9", 80, "default_web_http", NAME, "ClusterIP"),
    ),
    (Backend("default_web_http", False, (Server("127.64.0.1", 8080),)),),
)


def test_a_service_port_is_a_frontend_with_its_addresses_and_a_backend_with_its_endpoints() -> None:
    text = configure(TABLE, socket="/run/s.sock")
    assert text.endswith("""
frontend default_web_http
    bind 127.0.0.1:30080
    bind 127.64.128.9:80
    default_backend default_web_http

backend default_web_http
    balance random
    server 127.64.0.1:8080 127.64.0.1:8080
""")


def test_client_ip_affinity_hashes_the_source() -> None:
    text = configure(Table(backends=(Backend("b", True, ()),)), socket="/run/s.sock")
    assert text.endswith("\nbackend b\n    balance source\n    hash-type consistent\n")


def test_a_reload_hands_over_the_listening_sockets() -> None:
    assert "stats socket /run/s.sock mode 600 level admin expose-fd listeners\n" in configure(Table(), socket="/run/s.sock")
