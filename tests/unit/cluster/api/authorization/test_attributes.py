import pytest

from remora.cluster.api.authorization.attributes import attributes_of, why_forbidden
from remora.cluster.api.http_message import parse_query
from remora.cluster.api.http_path import parse_path


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /api/v1/namespaces/a/pods", ("list", "pods", "a", "")),
        ("GET /api/v1/pods?watch=true", ("watch", "pods", "", "")),
        ("GET /api/v1/pods?watch=false", ("list", "pods", "", "")),
        ("GET /api/v1/pods?watch=yes", ("list", "pods", "", "")),
        ("GET /api/v1/namespaces/a/pods/p", ("get", "pods", "a", "p")),
        ("GET /api/v1/namespaces/a/pods/p/log", ("get", "pods/log", "a", "p")),
        ("GET /api/v1/namespaces/a/pods?watch=1&fieldSelector=metadata.name%3Dp", ("watch", "pods", "a", "p")),
        ("GET /api/v1/namespaces/a/pods?fieldSelector=metadata.name!%3Dp", ("list", "pods", "a", "")),
        ("DELETE /api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dp", ("deletecollection", "pods", "a", "")),
        ("PATCH /apis/apps/v1/namespaces/a/deployments/d/scale", ("patch", "deployments/scale", "a", "d")),
        ("GET /api/v1/namespaces/a", ("get", "namespaces", "a", "a")),
        ("POST /api/v1/namespaces", ("create", "namespaces", "", "")),
        ("GET /apis/apps/v1", ("get", "", "", "")),
        ("GET /healthz", ("get", "", "", "")),
    ],
)
def test_a_request_is_read_as_kubernetes_reads_it(request_line: str, expected: tuple[str, str, str, str]) -> None:
    method, _, target = request_line.partition(" ")
    path, _, query = target.partition("?")
    found = attributes_of(method, path, parse_path(path), parse_query(query))
    assert (found.verb, found.combined, found.namespace, found.name) == expected


def test_refusals_are_worded_as_in_kubernetes() -> None:
    deployments = attributes_of("GET", "", parse_path("/apis/apps/v1/namespaces/a/deployments"), {})
    assert why_forbidden("jane", deployments) == (
        'User "jane" cannot list resource "deployments" in API group "apps" in the namespace "a"'
    )
    nodes = attributes_of("GET", "", parse_path("/api/v1/nodes"), {})
    assert why_forbidden("jane", nodes) == 'User "jane" cannot list resource "nodes" in API group "" at the cluster scope'
    assert why_forbidden("jane", attributes_of("GET", "/metrics", None, {})) == 'User "jane" cannot get path "/metrics"'
