"""A cluster for all tests of a worker that look at workloads; each module makes objects of its own there."""

import sys
from collections.abc import Iterator

import pytest

from remora.testing.local import LocalCluster, local_cluster
from tests.cluster.small_cluster import SERVER


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(authorization_mode="RBAC") as made:
        made.add_image("server", sys.executable, "-c", SERVER)
        yield made
