"""What the clients of a worker share: one cluster with a node, and an image that serves."""

import sys

import pytest
import yaml

from remora.testing.local import LocalCluster
from tests.cluster.clients.manifests import WIDGETS
from tests.cluster.small_cluster import SERVER


@pytest.fixture(scope="session")
def serving_cluster(remora_cluster: LocalCluster) -> LocalCluster:
    for name in ("server", "server:2"):
        remora_cluster.add_image(name, sys.executable, "-c", SERVER)
    remora_cluster.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", yaml.safe_load(WIDGETS))
    return remora_cluster
