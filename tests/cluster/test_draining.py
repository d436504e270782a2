"""Draining on a local cluster: kubectl annotates a pod, and a preStop hook waits for the sessions of a deleted one."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from remora.cli.api import Api
from remora.cli.demo.workload import NAME, Workload
from remora.cli.status import find_entry
from tests.cluster.terminal import REMORA, Terminal
from tests.cluster.visitors import COOKIE, Visitor, ask_all, browser

SESSIONS = 30
GRACE = 45
LIVE = 6
"""Seconds for which a session counts after its last request."""
DEPLOYMENT = f"/apis/apps/v1/namespaces/default/deployments/{NAME}"
INGRESS = f"/apis/networking.k8s.io/v1/namespaces/default/ingresses/{NAME}"


@pytest.fixture(scope="module")
def application(cluster: Terminal) -> tuple[Api, Workload, str]:
    api = Api(cluster.home / "test" / "kubeconfig")
    workload = Workload(api)
    workload.deploy(3)
    workload.wait_pods(3, within=60)
    workload.stick(mode="persistent", cookie=COOKIE)
    own = {"remora.io/session-tracking": "true", "nginx.ingress.kubernetes.io/session-cookie-max-age": str(LIVE)}
    api.merge(INGRESS, {"metadata": {"annotations": own}})
    entry = find_entry(api.read("/api/v1/services")["items"])
    assert entry
    return api, workload, entry


async def until(check: Callable[[], Any], what: str, *, within: float = 40.0) -> Any:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := await asyncio.to_thread(check):
            return found
        await asyncio.sleep(0.1)
    pytest.fail(f"still no {what}")


def answers_of(visitors: list[Visitor]) -> list[object]:
    return [failure for visitor in visitors for failure in visitor.failures]


@pytest.mark.kubectl
async def test_a_pod_that_kubectl_annotates_keeps_its_sessions_and_gets_no_new_ones(
    cluster: Terminal, application: tuple[Api, Workload, str]
) -> None:
    _, workload, entry = application
    visitors = [Visitor(entry) for _ in range(SESSIONS)]
    async with browser() as session:
        before = await ask_all(visitors, session)
        assert len(set(before)) == 3
        pod_id, name = next(iter(workload.pods().items()))
        cluster.kubectl("annotate", "pod", name, "remora.io/session-drain=true")
        kubeconfig = str(cluster.home / "test" / "kubeconfig")

        def is_draining() -> bool:
            said = cluster.remora("drain-wait", name, "--timeout", "0", "--kubeconfig", kubeconfig)
            assert said.returncode in (0, 3), said.stderr
            return "(draining)" in said.stdout

        await until(is_draining, "draining pod")
        assert await ask_all(visitors, session) == before
        new = [Visitor(entry) for _ in range(SESSIONS)]
        assert pod_id not in await ask_all(new, session)
        cluster.kubectl("annotate", "pod", name, "remora.io/session-drain-")

        async def is_back() -> bool:
            return pod_id in await ask_all([Visitor(entry) for _ in range(6)], session)

        deadline = time.monotonic() + 60
        while not await is_back():
            assert time.monotonic() < deadline
        assert answers_of(visitors + new) == []


@pytest.mark.kubectl
async def test_a_deleted_pod_waits_for_its_sessions_within_its_grace(
    cluster: Terminal, application: tuple[Api, Workload, str]
) -> None:
    api, workload, entry = application
    address = api.read("/api/v1/namespaces/ingress-remora/services/remora-controller-metrics")["spec"]["clusterIP"]
    hook = [str(REMORA), "drain-wait", "--timeout", f"{GRACE - 5}s", "--controller", f"http://{address}:10254"]
    template = json.loads(json.dumps(api.read(DEPLOYMENT)))["spec"]["template"]["spec"]
    template["terminationGracePeriodSeconds"] = GRACE
    template["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": hook}}}
    api.merge(DEPLOYMENT, {"spec": {"template": {"spec": template}}})
    cluster.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
    pods = await asyncio.to_thread(workload.wait_pods, 3, within=90)
    pod_id, name = next(iter(pods.items()))
    visitors = [Visitor(entry) for _ in range(SESSIONS)]
    async with browser() as session:
        before = await ask_all(visitors, session)
        there = [visitor for visitor in visitors if visitor.pod == pod_id]
        assert there
        begun = time.monotonic()
        cluster.kubectl("delete", "pod", name, "--wait=false")
        while time.monotonic() < begun + 2 * LIVE:
            assert await ask_all(visitors, session) == before
            await asyncio.sleep(0.5)
        # Only the sessions of the pod that goes fall silent; it ends then, long before its grace does.
        others = [visitor for visitor in visitors if visitor not in there]
        names = f"/api/v1/namespaces/default/pods?fieldSelector=metadata.name={name}"
        while api.read(names)["items"]:
            assert time.monotonic() < begun + GRACE
            await ask_all(others, session)
            await asyncio.sleep(0.5)
        assert time.monotonic() > begun + 2 * LIVE
        assert answers_of(visitors) == []
        assert all(len(visitor.met) == 1 for visitor in visitors)
        events = api.read("/api/v1/namespaces/default/events")["items"]
        assert [event["message"] for event in events if event["reason"] == "FailedPreStopHook"] == []
