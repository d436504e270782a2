"""The older walk-through: an Ingress in `extensions/v1beta1` with annotations under the historic prefix."""

import json
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cluster.terminal import Terminal, wait_for

pytestmark = [pytest.mark.kubectl, pytest.mark.timeout(120)]


BARE = """
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: bare}
spec:
  rules: [{http: {paths: [{path: /bare, backend: {serviceName: echo-headers, servicePort: 8080}}]}}]
"""


def curl(*arguments: str) -> str:
    return subprocess.run(["curl", "-s", *arguments], capture_output=True, text=True, timeout=20, check=False).stdout


def pod_of(answer: str) -> str:
    try:
        return str(json.loads(answer)["pod"])
    except ValueError:
        return ""


def test_an_old_manifest_is_taken_and_sticks(cluster: Terminal, tmp_path: Path) -> None:
    cluster.kubectl("create", "deployment", "echo-headers", "--image=remora/echo-headers:1", "--replicas=3")
    cluster.kubectl("expose", "deployment", "echo-headers", "--port=8080")
    cluster.kubectl("apply", "-f", "examples/echo-headers/ingress.yml")
    cluster.kubectl("rollout", "status", "deployment/echo-headers", "--timeout=60s")
    assert cluster.kubectl("get", "ingress", "echo-headers", "-o", "jsonpath={.apiVersion}") == "networking.k8s.io/v1"

    entry = json.loads(cluster.remora("status", "--profile", "test", "--output", "json").stdout)["entry"]
    url = f"{entry}/foo"
    seen: set[str] = set()

    def all_three() -> bool:
        seen.add(pod_of(curl(url)))
        return len(seen - {""}) == 3

    wait_for(all_three, "answers of three pods without cookie")
    jar = str(tmp_path / "cookies.txt")
    first = json.loads(curl("-D", jar, url))
    assert first["path"] == "/foo"
    received = {name.lower(): value for name, value in first["headers"].items()}
    assert received["x-forwarded-host"] == urlsplit(entry).netloc
    assert "route=" in Path(jar).read_text()
    assert {pod_of(curl("-b", jar, url)) for _ in range(20)} == {first["pod"]}
    an_older_one_yet_names_no_class(cluster, tmp_path / "bare.yml", f"{entry}/bare")


def an_older_one_yet_names_no_class(cluster: Terminal, manifest: Path, url: str) -> None:
    manifest.write_text(BARE)
    cluster.kubectl("apply", "-f", str(manifest))
    assert cluster.kubectl("get", "ingress", "bare", "-o", "jsonpath={.spec.ingressClassName}") == "nginx"
    wait_for(lambda: pod_of(curl(url)), "answer for an Ingress without a class")
