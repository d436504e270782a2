"""What paths address."""

import pytest

from remora.cluster.api.http_path import Address, parse_path


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/v1", Address("", "v1")),
        ("/api/v1/pods", Address("", "v1", "", "pods")),
        ("/api/v1/namespaces", Address("", "v1", "", "namespaces")),
        ("/api/v1/namespaces/a", Address("", "v1", "", "namespaces", "a")),
        ("/api/v1/namespaces/a/status", Address("", "v1", "", "namespaces", "a", "status")),
        ("/api/v1/namespaces/a/pods", Address("", "v1", "a", "pods")),
        ("/api/v1/namespaces/a/pods/b/log", Address("", "v1", "a", "pods", "b", "log")),
        ("/api/v1/namespaces/a/pods/b:80/proxy", Address("", "v1", "a", "pods", "b:80", "proxy")),
        ("/api/v1/namespaces/a/pods/b:80/proxy/", Address("", "v1", "a", "pods", "b:80", "proxy")),
        ("/api/v1/namespaces/a/pods/b/proxy/x/proxy/%2Fy/", Address("", "v1", "a", "pods", "b", "proxy", "x/proxy/%2Fy/")),
        ("/api/v1/namespaces/proxy/pods", Address("", "v1", "proxy", "pods")),
        ("/api/v1/namespaces/proxy/pods/proxy/log", Address("", "v1", "proxy", "pods", "proxy", "log")),
        ("/apis/apps/v1/namespaces/a/deployments/b", Address("apps", "v1", "a", "deployments", "b")),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            Address("rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:node"),
        ),
    ],
)
def test_resource_path_is_taken_apart(path: str, address: Address) -> None:
    assert parse_path(path) == address


@pytest.mark.parametrize("path", ["/", "/api", "/apis", "/apis/apps", "/version", "/api/v1/pods//x", "/api/v1/a/b/c/d"])
def test_other_paths_address_nothing(path: str) -> None:
    assert parse_path(path) is None
