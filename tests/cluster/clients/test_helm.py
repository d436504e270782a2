"""Helm itself installs, upgrades and removes our chart."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from remora.testing.local import LocalCluster, local_cluster
from tests.cluster.clients.asked import needs, only_if_asked
from tests.support.helm import CHART

pytestmark = [only_if_asked(), needs("helm_python"), pytest.mark.timeout(180)]

NAMESPACE = "edge"
_WORK = f"""
import sys
import helm_python
with helm_python.Config(kubeconfig_path=sys.argv[1], namespace="{NAMESPACE}") as helm:
    helm.install("{CHART}", "remora", dict(controller=dict(replicaCount=1)))
    helm.upgrade("{CHART}", "remora", dict(controller=dict(replicaCount=2)))
"""
_REMOVE = f"""
import sys
import helm_python
with helm_python.Config(kubeconfig_path=sys.argv[1], namespace="{NAMESPACE}") as helm:
    helm.uninstall("remora")
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(authorization_mode="RBAC") as made:
        yield made


def run(script: str, cluster: LocalCluster) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script, str(cluster.kubeconfig)],
        env=cluster.kubectl.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.kubectl
def test_a_release_comes_changes_and_goes(cluster: LocalCluster) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    run(_WORK, cluster)
    cluster.kubectl("rollout", "status", "-n", NAMESPACE, "deployment/remora-controller", "--timeout=60s", timeout=70)
    assert cluster.kubectl.json("get", "deployment", "-n", NAMESPACE, "remora-controller")["spec"]["replicas"] == 2
    run(_REMOVE, cluster)
    assert cluster.kubectl.tried("get", "deployment", "-n", NAMESPACE, "remora-controller").returncode != 0
