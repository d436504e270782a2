"""What others in a cluster rely on: cert-manager's HTTP-01 solver, and external-dns, which reads rules and statuses."""

import base64
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from remora.testing.local import LocalCluster, eventually, local_cluster
from tests.support.certificates import self_signed

pytestmark = pytest.mark.timeout(120)

HOST = "shop.test"
TOKEN = "LgnZ-jLhA0VtzLrC"
CHALLENGE = f"/.well-known/acme-challenge/{TOKEN}"
KEY_AUTHORIZATION = f"{TOKEN}.b9AcqZ1"
# What an ACME solver answers is the key authorization, whatever the path.
SOLVER = f"""
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Solver(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write({KEY_AUTHORIZATION.encode()!r})
HTTPServer((os.environ["POD_IP"], 8089), Solver).serve_forever()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(ingress=True) as made:
        yield made


def create(cluster: LocalCluster, path: str, kind: str, name: str, **content: Any) -> None:
    metadata = {"name": name, **content.pop("metadata", {})}
    version = "networking.k8s.io/v1" if kind == "Ingress" else "v1"
    prefix = "/apis/" if kind == "Ingress" else "/api/"
    cluster.request(
        "POST",
        f"{prefix}{version}/namespaces/default/{path}",
        {"apiVersion": version, "kind": kind, "metadata": metadata, **content},
    )


def ingress_spec(service: str, port: int, path: str, path_type: str, **more: Any) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    rule = {"host": HOST, "http": {"paths": [{"path": path, "pathType": path_type, "backend": backend}]}}
    return {"ingressClassName": "nginx", "rules": [rule], **more}


def answer(cluster: LocalCluster, path: str) -> tuple[int, str]:
    entry = urlsplit(cluster.entry)
    connection = HTTPConnection(entry.hostname or "", entry.port or 80, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": HOST})
        found = connection.getresponse()
        return found.status, found.read().decode()
    finally:
        connection.close()


def served_certificate(cluster: LocalCluster) -> str:
    """The common name of what a TLS client is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = eventually(lambda: addresses(cluster), what="address in the status")[0]["ip"]
    with socket.create_connection((address, 443), timeout=30) as raw, context.wrap_socket(raw, server_hostname=HOST) as tls:
        shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    return str(shown.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def addresses(cluster: LocalCluster) -> Any:
    """What external-dns makes records of."""
    found = cluster.request("GET", "/apis/networking.k8s.io/v1/namespaces/default/ingresses/shop")
    return found["status"]["loadBalancer"].get("ingress")


def test_a_certificate_is_got_by_an_http_challenge_while_all_else_is_sent_to_https(cluster: LocalCluster) -> None:
    create(cluster, "services", "Service", "shop", spec={"selector": {"app": "shop"}, "ports": [{"port": 80}]})
    tls = [{"hosts": [HOST], "secretName": "shop-tls"}]
    issuer = {"annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"}}
    create(cluster, "ingresses", "Ingress", "shop", metadata=issuer, spec=ingress_spec("shop", 80, "/", "Prefix", tls=tls))
    eventually(lambda: answer(cluster, CHALLENGE)[0] == 308, what="redirect to https")

    # As cert-manager makes them, one set for each challenge.
    labels = {"acme.cert-manager.io/http01-solver": "true"}
    name = "cm-acme-http-solver-x7f2k"
    cluster.add_image("quay.io/jetstack/cert-manager-acmesolver:v1", "python3", "-c", SOLVER)
    solver = {"name": "acmesolver", "image": "quay.io/jetstack/cert-manager-acmesolver:v1", "ports": [{"containerPort": 8089}]}
    create(cluster, "pods", "Pod", name, metadata={"labels": labels}, spec={"containers": [solver]})
    ports = [{"name": "http", "port": 8089, "targetPort": 8089}]
    create(cluster, "services", "Service", name, spec={"type": "NodePort", "selector": labels, "ports": ports})
    allowed = {"annotations": {"nginx.ingress.kubernetes.io/whitelist-source-range": "0.0.0.0/0,::/0"}}
    rule = ingress_spec(name, 8089, CHALLENGE, "ImplementationSpecific")
    create(cluster, "ingresses", "Ingress", name, metadata=allowed, spec=rule)
    eventually(lambda: answer(cluster, CHALLENGE) == (200, KEY_AUTHORIZATION), what="answer to the challenge")
    assert answer(cluster, "/")[0] == 308

    certificate, end, key = self_signed(HOST).decode().partition("-----END CERTIFICATE-----\n")
    parts = {"tls.crt": certificate + end, "tls.key": key}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in parts.items()}
    create(cluster, "secrets", "Secret", "shop-tls", type="kubernetes.io/tls", data=data)
    eventually(lambda: served_certificate(cluster) == HOST, what="certificate of the Secret")
    cluster.request("DELETE", f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{name}")
    eventually(lambda: answer(cluster, CHALLENGE)[0] == 308, what="end of the challenge")


def test_the_status_has_the_address_at_which_the_hosts_of_the_rules_are_served(cluster: LocalCluster) -> None:
    spec = ingress_spec("blog", 80, "/", "Prefix")
    spec["rules"][0]["host"] = "blog.test"
    create(cluster, "ingresses", "Ingress", "blog", spec=spec)

    def told() -> Any:
        found = cluster.request("GET", "/apis/networking.k8s.io/v1/namespaces/default/ingresses/blog")
        return found["status"]["loadBalancer"].get("ingress")

    (one,) = eventually(told, what="address in the status")
    entry = cluster.request("GET", "/api/v1/namespaces/ingress-remora/services/remora-controller")
    assert one["ip"] == entry["status"]["loadBalancer"]["ingress"][0]["ip"]
