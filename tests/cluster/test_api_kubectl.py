"""The unmodified kubectl against the API server: what people type."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api_server import Running, running_api_server

pytestmark = pytest.mark.kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example:1"}]}
"""

OLD_INGRESS = """
apiVersion: extensions/v1beta1
kind: Ingress
metadata:
  name: old
  annotations: {ingress.kubernetes.io/affinity: cookie}
spec:
  rules: [{http: {paths: [{path: /foo, backend: {serviceName: web, servicePort: 80}}]}}]
"""

POD = """
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {containers: [{name: c, image: "example:1"}]}
"""


class Kubectl:
    """Types commands; its caches are its own."""

    def __init__(self, api: Running, home: Path) -> None:
        self.api = api
        self._environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig), "HOME": str(home)}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            "kubectl", *arguments, env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    async def tried(self, *arguments: str, given: str = "") -> tuple[int | None, str, str]:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(given.encode()), 30)
        return process.returncode, out.decode(), err.decode()

    async def __call__(self, *arguments: str, given: str = "") -> str:
        code, out, err = await self.tried(*arguments, given=given)
        assert code == 0, err
        return out

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments, "-o", "json"))


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    async with running_api_server(tmp_path) as api:
        yield Kubectl(api, tmp_path)


def columns(table: str) -> list[str]:
    return table.splitlines()[0].split()


async def test_version_and_resources_are_known(kubectl: Kubectl) -> None:
    assert "v1.36.0+remora" in (await kubectl.tried("version"))[1]
    resources = await kubectl("api-resources")
    for kind in ("Deployment", "EndpointSlice", "Ingress", "IngressClass", "Lease", "Pod"):
        assert kind in resources


async def test_deployment_is_created_exposed_scaled_and_deleted(kubectl: Kubectl) -> None:
    assert "created" in await kubectl("create", "deployment", "web", "--image=example:1", "--replicas=0")
    assert (await kubectl.json("get", "deployment", "web"))["spec"]["replicas"] == 0
    assert "exposed" in await kubectl("expose", "deployment", "web", "--port=80", "--type=LoadBalancer")
    assert columns(await kubectl("get", "services")) == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert "scaled" in await kubectl("scale", "deployment", "web", "--replicas=3")
    assert await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    wide = await kubectl("get", "deployments", "-o", "wide")
    assert columns(wide) == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "CONTAINERS", "IMAGES", "SELECTOR"]
    assert "RollingUpdate" in await kubectl("describe", "deployment", "web")
    assert "deleted" in await kubectl("delete", "deployment,service", "web")
    assert kubectl.api.registry.find("deployments.apps", "default", "web") is None


@pytest.mark.parametrize(
    ("command", "resource", "name"),
    [
        ("namespace other", "namespaces", "other"),
        ("configmap made --from-literal=a=b", "configmaps", "made"),
        ("secret generic made --from-literal=a=b", "secrets", "made"),
        ("serviceaccount made", "serviceaccounts", "made"),
        ("role made --verb=get --resource=pods", "roles.rbac.authorization.k8s.io", "made"),
        ("job made --image=example:1", "jobs.batch", "made"),
        ("ingress made --rule=example.com/=web:80", "ingresses.networking.k8s.io", "made"),
    ],
)
async def test_what_kubectl_sends_as_protobuf_is_read(kubectl: Kubectl, command: str, resource: str, name: str) -> None:
    await kubectl("create", *command.split())
    found = kubectl.api.registry.find(resource, "" if resource == "namespaces" else "default", name)
    assert found is not None
    assert found["metadata"]["creationTimestamp"]


async def test_applying_again_changes_only_what_was_changed(kubectl: Kubectl) -> None:
    assert "created" in await kubectl("apply", "-f", "-", given=DEPLOYMENT)
    assert "unchanged" in await kubectl("apply", "-f", "-", given=DEPLOYMENT)
    await kubectl("scale", "deployment", "web", "--replicas=4")
    without_replicas = DEPLOYMENT.replace("  replicas: 1\n", "").replace("example:1", "example:2")
    assert "configured" in await kubectl("apply", "-f", "-", given=without_replicas)
    changed = await kubectl.json("get", "deployment", "web")
    assert changed["spec"]["template"]["spec"]["containers"][0]["image"] == "example:2"


async def test_applying_on_the_server_reports_conflicts(kubectl: Kubectl) -> None:
    assert "serverside-applied" in await kubectl("apply", "--server-side", "-f", "-", given=DEPLOYMENT)
    other = DEPLOYMENT.replace("example:1", "example:2")
    code, _, err = await kubectl.tried("apply", "--server-side", "--field-manager=other", "-f", "-", given=other)
    assert code == 1
    assert "conflict" in err


async def test_old_ingress_is_taken_and_kept_as_v1(kubectl: Kubectl) -> None:
    _, out, err = await kubectl.tried("apply", "-f", "-", given=OLD_INGRESS)
    assert "ingress.extensions/old created" in out
    assert "deprecated" in err
    kept = await kubectl.json("get", "ingress", "old")
    assert kept["apiVersion"] == "networking.k8s.io/v1"
    assert kept["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {"service": {"name": "web", "port": {"number": 80}}}
    assert columns(await kubectl("get", "ingresses")) == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert "/foo" in await kubectl("describe", "ingress", "old")


async def test_unknown_field_is_refused_by_name(kubectl: Kubectl) -> None:
    given = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}}'
    code, _, err = await kubectl.tried("create", "-f", "-", given=given)
    assert code == 1
    assert 'unknown field "dat"' in err


async def test_labels_annotations_and_patches_change_an_object(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "a", "--from-literal=k=v")
    await kubectl("label", "configmap", "a", "x=1")
    await kubectl("annotate", "configmap", "a", "y=2")
    await kubectl("patch", "configmap", "a", "--type=json", "-p", '[{"op": "add", "path": "/data/j", "value": "w"}]')
    found = (await kubectl.json("get", "configmaps", "-l", "x=1"))["items"]
    assert [item["data"] for item in found] == [{"k": "v", "j": "w"}]
    assert found[0]["metadata"]["annotations"] == {"y": "2"}


async def test_edit_sends_what_the_editor_left(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await kubectl("create", "configmap", "a", "--from-literal=k=old")
    kubectl._environment["EDITOR"] = "sed -i s/old/new/"
    assert "edited" in await kubectl("edit", "configmap", "a")
    assert (await kubectl.json("get", "configmap", "a"))["data"] == {"k": "new"}


async def test_fields_are_explained(kubectl: Kubectl) -> None:
    explained = await kubectl("explain", "ingress.spec.rules")
    assert "IngressRule" in explained
    assert "host" in explained


async def test_logs_are_read_and_followed(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=POD)
    assert await kubectl("logs", "p") == "p/c\n"
    assert await kubectl("logs", "-f", "pod/p") == "p/c\n"
    code, _, err = await kubectl.tried("logs", "p", "-c", "none")
    assert code == 1
    assert "container none is not valid for pod p" in err


async def test_watching_kubectl_prints_what_happens(kubectl: Kubectl) -> None:
    await kubectl("create", "configmap", "first")
    watching = await kubectl.start("get", "configmaps", "--watch", "--no-headers", "--output-watch-events")
    assert watching.stdout is not None
    seen = [await asyncio.wait_for(watching.stdout.readline(), 20)]
    await kubectl("create", "configmap", "second")
    await kubectl("delete", "configmap", "first")
    seen += [await asyncio.wait_for(watching.stdout.readline(), 20) for _ in range(2)]
    watching.kill()
    await watching.communicate()
    assert [line.split()[:2] for line in seen] == [[b"ADDED", b"first"], [b"ADDED", b"second"], [b"DELETED", b"first"]]


async def test_delete_waits_until_the_object_is_gone(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", given=POD.replace("{name: p}", "{name: p, finalizers: [example.com/f]}"))
    deleting = await kubectl.start("delete", "pod", "p")
    async with asyncio.timeout(40):
        while not (kubectl.api.registry.find("pods", "default", "p") or {})["metadata"].get("deletionTimestamp"):
            await asyncio.sleep(0.02)
    await kubectl("patch", "pod", "p", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    await asyncio.wait_for(deleting.communicate(), 20)
    assert deleting.returncode == 0
    assert kubectl.api.registry.find("pods", "default", "p") is None


async def test_rights_and_identity_are_answered(kubectl: Kubectl) -> None:
    assert await kubectl("auth", "can-i", "delete", "pods") == "yes\n"
    assert "kubernetes-admin" in await kubectl("auth", "whoami")


async def test_token_of_a_service_account_is_accepted(kubectl: Kubectl) -> None:
    await kubectl("create", "serviceaccount", "robot")
    token = (await kubectl("create", "token", "robot")).strip()
    assert kubectl.api.tokens.verify(token).username == "system:serviceaccount:default:robot"


@pytest.mark.parametrize("version", ["example.com/v1", "extensions/v1beta1"])
async def test_a_kind_that_is_not_served_is_said_to_be_unknown(kubectl: Kubectl, version: str) -> None:
    given = f"apiVersion: {version}\nkind: Gadget\nmetadata: {{name: x}}\n"
    code, _, err = await kubectl.tried("apply", "-f", "-", given=given)
    assert code == 1
    assert f'no matches for kind "Gadget" in version "{version}"' in err
