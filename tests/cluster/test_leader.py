"""The Lease by which replicas of the controller choose a leader, in the local cluster's own API server."""

from typing import Any

import pytest

from remora.cli.api import Api
from remora.core.errors import RemoraError
from tests.cluster.terminal import Terminal, wait_for

pytestmark = pytest.mark.timeout(180)

NAMESPACE = "ingress-remora"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/ingress-controller-leader"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
EVENTS = f"/api/v1/namespaces/{NAMESPACE}/events"


def holder(api: Api) -> str:
    try:
        spec: dict[str, Any] = api.read(LEASE)["spec"]
    except RemoraError:
        return ""
    return str(spec.get("holderIdentity") or "")


def ready_pods(api: Api) -> set[str]:
    return {
        pod["metadata"]["name"]
        for pod in api.read(PODS)["items"]
        if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        and not pod["metadata"].get("deletionTimestamp")
    }


def test_the_lease_changes_hands_when_the_leading_pod_goes(cluster: Terminal) -> None:
    api = Api(cluster.home / "test" / "kubeconfig")
    wait_for(lambda: holder(api), "leader")
    leader = holder(api)
    assert leader in ready_pods(api)
    transitions = api.read(LEASE)["spec"].get("leaseTransitions", 0)
    api.delete(f"{PODS}/{leader}")
    wait_for(lambda: holder(api) not in ("", leader), "other leader")
    assert holder(api) in {pod["metadata"]["name"] for pod in api.read(PODS)["items"]}
    assert api.read(LEASE)["spec"]["leaseTransitions"] == transitions + 1


def test_a_controllers_pod_has_an_event_for_the_start_of_haproxy(cluster: Terminal) -> None:
    api = Api(cluster.home / "test" / "kubeconfig")

    def is_told() -> bool:
        events = [one for one in api.read(EVENTS)["items"] if one["reason"] == "RELOAD"]
        return any(one["involvedObject"]["kind"] == "Pod" and one["involvedObject"].get("uid") for one in events)

    wait_for(is_told, "Event RELOAD")
