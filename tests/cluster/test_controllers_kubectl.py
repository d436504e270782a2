"""The unmodified kubectl with controllers and real pods behind the API server: what people type about workloads."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from remora.cluster.api.pki import read_pki, write_kubeconfig
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.objects import Object, condition, is_ready
from remora.cluster.ports import free_port
from tests.cluster.api_server import HOST, Running
from tests.cluster.small_cluster import SmallCluster, deployment, small_cluster, until
from tests.cluster.test_api_kubectl import Kubectl

pytestmark = pytest.mark.kubectl

WAIT = "--timeout=40s"


class Typed(Kubectl):
    """kubectl, with the cluster that it talks to at hand for waiting."""

    def __init__(self, api: Running, home: Path, cluster: SmallCluster) -> None:
        super().__init__(api, home)
        self.cluster = cluster

    async def apply(self, *objects: Object) -> None:
        await self("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pods(self, prefix: str) -> list[Object]:
        return [pod for pod in self.cluster.pods() if pod["metadata"]["name"].startswith(prefix)]


@asynccontextmanager
async def typing(directory: Path) -> AsyncIterator[Typed]:
    async with small_cluster(directory) as cluster:
        pki = read_pki(directory / "pki", (HOST,))
        tokens, port = Tokens(pki.token_key), free_port(HOST)
        api = ApiServer(registry=cluster.registry, pki=pki, tokens=tokens, node=cluster.kubelet, host=HOST, port=port)
        serving = asyncio.create_task(api.run())
        await asyncio.wait_for(api.listening.wait(), 20)
        server, kubeconfig = f"https://{HOST}:{port}", directory / "kubeconfig"
        write_kubeconfig(kubeconfig, server=server, name="test", pki=pki)
        async with aiohttp.ClientSession() as session:
            running = Running(cluster.registry, server, kubeconfig, ssl.create_default_context(), session, tokens)
            yield Typed(running, directory, cluster)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def _workload(kind: str, name: str, **spec: Any) -> Object:
    made = deployment(name, **spec)
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    if kind == "DaemonSet":
        del made["spec"]["replicas"]
    return {"apiVersion": "apps/v1", "kind": kind, **made}


def _job(name: str, code: str, **spec: Any) -> Object:
    container = {"name": "main", "image": "python", "args": ["-c", code]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": {"spec": pod}, **spec}}


def _versioned(workload: Object, version: str) -> Object:
    spec = workload["spec"]
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "annotations": {"version": version}}}
    return {**workload, "spec": {**spec, "template": template}}


async def test_statefulset_is_rolled_out_undone_and_scaled(tmp_path: Path) -> None:
    async with typing(tmp_path) as kubectl:
        db = _workload("StatefulSet", "db", replicas=2, serviceName="db")
        await kubectl.apply(db)
        assert "complete" in await kubectl("rollout", "status", "statefulset/db", WAIT)
        assert [pod["metadata"]["name"] for pod in kubectl.pods("db")] == ["db-0", "db-1"]
        first = {pod["metadata"]["uid"] for pod in kubectl.pods("db")}
        await kubectl.apply(_versioned(db, "2"))
        await kubectl("rollout", "status", "statefulset/db", WAIT)
        assert not first & {pod["metadata"]["uid"] for pod in kubectl.pods("db")}
        assert (await kubectl("rollout", "history", "statefulset/db")).split()[-4:] == ["1", "<none>", "2", "<none>"]
        assert "version: 2" in await kubectl("rollout", "history", "statefulset/db", "--revision=2")
        assert "rolled back" in await kubectl("rollout", "undo", "statefulset/db", "--to-revision=1")
        await kubectl("rollout", "status", "statefulset/db", WAIT)
        assert all("version" not in pod["metadata"].get("annotations", {}) for pod in kubectl.pods("db"))
        await kubectl("scale", "statefulset/db", "--replicas=1")
        await until(lambda: [pod["metadata"]["name"] for pod in kubectl.pods("db")] == ["db-0"])
        assert "SuccessfulDelete" in await kubectl("describe", "statefulset", "db")
        assert "1/1" in await kubectl("get", "statefulset", "db")


async def test_daemonset_is_rolled_out_and_undone(tmp_path: Path) -> None:
    async with typing(tmp_path) as kubectl:
        agent = _workload("DaemonSet", "agent")
        await kubectl.apply(agent)
        assert "successfully rolled out" in await kubectl("rollout", "status", "daemonset/agent", WAIT)
        await kubectl.apply(_versioned(agent, "2"))
        await kubectl("rollout", "status", "daemonset/agent", WAIT)
        (pod,) = [pod for pod in kubectl.pods("agent") if is_ready(pod)]
        assert pod["metadata"]["annotations"]["version"] == "2"
        assert "rolled back" in await kubectl("rollout", "undo", "daemonset/agent")
        await kubectl("rollout", "status", "daemonset/agent", WAIT)
        await until(lambda: ["version" in pod["metadata"].get("annotations", {}) for pod in kubectl.pods("agent")] == [False])
        assert "rolled back" not in (await kubectl.tried("rollout", "undo", "daemonset/agent", "--to-revision=9"))[1]


async def test_jobs_are_waited_for_and_read(tmp_path: Path) -> None:
    async with typing(tmp_path) as kubectl:
        indexed = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
        await kubectl.apply(
            _job("count", "import os; print('index', os.environ['JOB_COMPLETION_INDEX'])", **indexed),
            _job("bad", "raise SystemExit(3)", backoffLimit=0),
            _job("long", "import time; time.sleep(600)"),
        )
        await kubectl("wait", "--for=condition=complete", "job/count", WAIT)
        assert await kubectl("logs", "-l", "batch.kubernetes.io/job-completion-index=2") == "index 2\n"
        await kubectl("wait", "--for=condition=failed", "job/bad", WAIT)
        assert "BackoffLimitExceeded" in await kubectl("describe", "job", "bad")
        await until(lambda: [pod["status"]["phase"] for pod in kubectl.pods("long")] == ["Running"])
        await kubectl("delete", "jobs", "--all")
        await until(lambda: not kubectl.cluster.pods())


async def test_disruption_budget_refuses_evictions_until_it_is_relaxed(tmp_path: Path) -> None:
    async with typing(tmp_path) as kubectl:
        await kubectl.apply(_workload("Deployment", "web", replicas=2))
        await kubectl("rollout", "status", "deployment/web", WAIT)
        await kubectl("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=2")
        budgets = kubectl.cluster.registry
        await until(lambda: condition(budgets.list("poddisruptionbudgets.policy")[0][0], "DisruptionAllowed"))
        (node,) = budgets.list("nodes")[0]
        # `drain` itself would wait five seconds before it looks again.
        name = kubectl.pods("web")[0]["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
        ask = ("create", "--raw", f"/api/v1/namespaces/default/pods/{name}/eviction", "-f", "-")
        code, _, said = await kubectl.tried(*ask, given=json.dumps(eviction))
        assert code != 0
        assert "Cannot evict pod as it would violate the pod's disruption budget." in said
        await kubectl("patch", "poddisruptionbudget", "web", "--type=merge", '-p={"spec":{"minAvailable":0}}')
        await until(lambda: budgets.list("poddisruptionbudgets.policy")[0][0]["status"]["disruptionsAllowed"] == 2)
        drained = await kubectl("drain", node["metadata"]["name"], "--ignore-daemonsets", WAIT)
        assert "drained" in drained
        await until(lambda: {pod["status"]["phase"] for pod in kubectl.pods("web")} == {"Pending"})
        await kubectl("uncordon", node["metadata"]["name"])
        await kubectl("rollout", "status", "deployment/web", WAIT)
