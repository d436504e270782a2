"""What becomes of StickyApps."""

from typing import Any
from urllib.request import urlopen

import pytest

from remora.testing.local import LocalCluster, RequestFailed, eventually


class Apps:
    """The StickyApps of a namespace, and what belongs to them."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def path(self, group: str, plural: str, name: str = "") -> str:
        root = f"/apis/{group}/v1" if group else "/api/v1"
        return f"{root}/namespaces/{self._namespace}/{plural}/{name}".rstrip("/")

    def create(self, name: str, **spec: Any) -> None:
        body = {"apiVersion": "example.com/v1", "kind": "StickyApp", "metadata": {"name": name}, "spec": spec}
        self._cluster.request("POST", self.path("example.com", "stickyapps"), body)

    def change(self, name: str, **spec: Any) -> None:
        path = self.path("example.com", "stickyapps", name)
        self._cluster.request("PATCH", path, {"spec": spec}, content_type="application/merge-patch+json")

    def delete(self, name: str) -> None:
        self._cluster.request("DELETE", self.path("example.com", "stickyapps", name))

    def find(self, group: str, plural: str, name: str) -> dict[str, Any]:
        """The object, or nothing."""
        try:
            found: dict[str, Any] = self._cluster.request("GET", self.path(group, plural, name))
        except RequestFailed:
            return {}
        return found

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.find("example.com", "stickyapps", name).get("status", {})
        return status

    def pods(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._cluster.request("GET", self.path("", "pods"))["items"]
        return items


@pytest.fixture
def apps(cluster: LocalCluster, remora_namespace: str) -> Apps:
    return Apps(cluster, remora_namespace)


def test_an_app_runs_and_says_so(apps: Apps) -> None:
    apps.create("shop", image="web", host="shop.example.com")
    assert eventually(lambda: apps.status("shop").get("ready") == 2, within=60)
    assert eventually(lambda: apps.status("shop").get("url"), within=60) == "http://shop.example.com/"
    assert "affinity" in str(apps.find("networking.k8s.io", "ingresses", "shop")["metadata"]["annotations"])
    names = {urlopen(f"http://{pod['status']['podIP']}:8080").read().decode() for pod in apps.pods()}
    assert names == {pod["metadata"]["name"] for pod in apps.pods()}


def test_an_app_scales(apps: Apps) -> None:
    apps.create("shop", image="web", host="shop.example.com", replicas=1)
    assert eventually(lambda: apps.status("shop").get("ready") == 1, within=60)
    apps.change("shop", replicas=3)
    assert eventually(lambda: apps.status("shop").get("ready") == 3, within=60)


def test_what_belongs_to_an_app_goes_with_it(apps: Apps) -> None:
    apps.create("shop", image="web", host="shop.example.com", replicas=1)
    assert eventually(lambda: apps.find("networking.k8s.io", "ingresses", "shop"), within=60)
    apps.delete("shop")
    assert eventually(lambda: not apps.find("networking.k8s.io", "ingresses", "shop"), within=60)
    assert eventually(lambda: not apps.pods(), within=60)


def test_the_cluster_refuses_an_app_without_a_host(apps: Apps) -> None:
    with pytest.raises(RequestFailed, match=r"spec\.host: Required value"):
        apps.create("shop", image="web")
