"""Programs that use clients of others, each a process of its own, as its users would run it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.testing.local import LocalCluster, eventually
from tests.cluster.clients.asked import needs, only_if_asked

PROGRAMS = Path(__file__).parent / "programs"
MODULES = ("kubernetes_asyncio", "kr8s", "lightkube", "kubernetes")


@pytest.fixture
def environment(serving_cluster: LocalCluster, remora_namespace: str) -> dict[str, str]:
    return {
        **os.environ,
        "KUBECONFIG": str(serving_cluster.kubeconfig),
        "HOME": str(serving_cluster.directory),
        "TEST_NAMESPACE": remora_namespace,
    }


@pytest.mark.parametrize("module", [pytest.param(name, marks=needs(name)) for name in MODULES])
def test_a_program_finds_all_as_in_kubernetes(module: str, environment: dict[str, str]) -> None:
    program = [sys.executable, str(PROGRAMS / f"with_{module}.py")]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `@kubernetes/client-node` is installed."""
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@kubernetes/client-node@1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot install it: {done.stderr}")
    return folder


@only_if_asked()
@pytest.mark.skipif(not shutil.which("npm"), reason="Node.js and npm are not on this machine")
def test_an_informer_in_javascript_follows_what_happens(node_modules: Path, environment: dict[str, str]) -> None:
    shutil.copy(PROGRAMS / "informer.mjs", node_modules)
    done = subprocess.run(
        ["node", "informer.mjs"], cwd=node_modules, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "all seen" in done.stdout, done.stderr


class Operator:
    """The kopf operator at work, and the Widgets of its namespace."""

    def __init__(self, cluster: LocalCluster, namespace: str, log: Path) -> None:
        self._cluster = cluster
        self._path = f"/apis/example.com/v1/namespaces/{namespace}/widgets"
        self._log = log
        self.namespace = namespace

    def create(self, name: str, **spec: object) -> None:
        body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
        self._cluster.request("POST", self._path, body)

    def merge(self, name: str, patch: object) -> None:
        path = f"{self._path}/{name}"
        self._cluster.request("PATCH", path, patch, content_type="application/merge-patch+json")

    def delete(self, name: str) -> None:
        self._cluster.request("DELETE", f"{self._path}/{name}")

    def find(self, name: str) -> dict[str, object] | None:
        items = self._cluster.request("GET", self._path)["items"]
        return next((one for one in items if one["metadata"]["name"] == name), None)

    def status(self, name: str) -> dict[str, object]:
        found = self.find(name) or {}
        status = found.get("status")
        return status if isinstance(status, dict) else {}

    def said(self, pattern: str) -> bool:
        return bool(re.search(pattern, self._log.read_text()))


@pytest.fixture
def operator(
    serving_cluster: LocalCluster, remora_namespace: str, environment: dict[str, str], tmp_path: Path
) -> Iterator[Operator]:
    log = tmp_path / "kopf.log"
    command = [
        sys.executable,
        "-m",
        "kopf",
        "run",
        "-n",
        remora_namespace,
        "--standalone",
        str(PROGRAMS / "operator_with_kopf.py"),
    ]
    with log.open("w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        yield Operator(serving_cluster, remora_namespace, log)
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


@only_if_asked()  # `examples/operator` has one in every run
@needs("kopf")
def test_a_kopf_operator_hears_of_all_that_happens_to_its_objects(operator: Operator, serving_cluster: LocalCluster) -> None:
    operator.create("one", size=3)
    assert eventually(lambda: operator.status("one").get("ready") is True, within=60, what="status of its own")
    assert operator.status("one")["created"] == {"size": 3}
    operator.merge("one", {"spec": {"size": 5}})
    assert eventually(lambda: operator.status("one").get("grown") == 2, within=60)
    assert eventually(lambda: int(str(operator.status("one").get("ticks", 0))) >= 2, within=60)
    events = f"/api/v1/namespaces/{operator.namespace}/events"
    assert eventually(lambda: "from 3 to 5" in json.dumps(serving_cluster.request("GET", events)), within=60)
    maps = f"/api/v1/namespaces/{operator.namespace}/configmaps"
    serving_cluster.request("POST", maps, {"metadata": {"name": "noted", "labels": {"watched": "yes"}}})
    assert eventually(lambda: operator.said("configmap noted ADDED"), within=60)
    operator.delete("one")
    assert eventually(lambda: operator.find("one") is None, within=60)
    assert operator.said("one goes")
