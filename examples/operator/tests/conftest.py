"""The operator at work beside the cluster, as `kopf run` starts it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from remora.testing.local import LocalCluster

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def cluster(remora_cluster: LocalCluster) -> LocalCluster:
    crd = yaml.safe_load((HERE / "crd.yaml").read_text())
    remora_cluster.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    return remora_cluster


@pytest.fixture(scope="session", autouse=True)
def operator(cluster: LocalCluster) -> Iterator[None]:
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--all-namespaces", "stickyapp.py"]
    process = subprocess.Popen(command, cwd=HERE, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)})
    yield
    process.terminate()
    process.wait(20)
