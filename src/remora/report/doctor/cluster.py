"""The API server, and the Lease by which replicas choose who writes."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from remora.kube.objects.lease import Lease
from remora.report.doctor.classes import ControllerFacts
from remora.report.doctor.finding import Finding, ok, problem, warning
from remora.report.doctor.machine import Version

OLDEST_KUBERNETES = (1, 21)
"""EndpointSlices in discovery.k8s.io/v1 are that old."""


class ServerFacts(msgspec.Struct, frozen=True):
    """An API server: its URL, and its version or why it does not answer."""

    server: str
    version: Version | None = None
    refusal: str = ""


def judge_server(facts: ServerFacts) -> Finding:
    """Whether the API server answers and is new enough."""
    if facts.refusal:
        todo = "see `kubectl config get-contexts`; choose with --context or --kubeconfig, or start one with `remora up`"
        return problem("cluster", f"{facts.server or 'the cluster'} cannot be reached", facts.refusal, todo)
    if facts.version is None:
        return warning("cluster", f"{facts.server} does not say its version", "", "see `kubectl version`")
    text = f"{facts.server} is Kubernetes {facts.version[0]}.{facts.version[1]}"
    if facts.version < OLDEST_KUBERNETES:
        why = "EndpointSlices in discovery.k8s.io/v1 came with 1.21"
        return problem("cluster", text, why, "update the cluster")
    return ok("cluster", text)


def judge_lease(controller: ControllerFacts, lease: Lease | None, pods: Collection[str], now: datetime) -> Finding:
    """Whether one of a controller's replicas leads; `pods` are the names of those that run."""
    name = f"{controller.namespace}/{controller.election}"
    todo = f"look at the log (`remora tail -n {controller.namespace} .`) and the rights of {controller.account}"
    effect = "nobody writes addresses to Ingresses, nor Events"
    if not controller.running:
        return ok("leader", f"{controller.name} does not run, so nobody leads")
    if lease is None:
        return problem("leader", f"there is no Lease {name}", effect, todo)
    spec = lease.spec
    if not spec.holder_identity or not spec.renew_time:
        return warning(
            "leader", f"Lease {name} has no holder", f"{effect}; after a start or an end that is so for a moment", todo
        )
    late = now - datetime.fromisoformat(spec.renew_time) - timedelta(seconds=spec.lease_duration_seconds or 0)
    if late > timedelta(0):
        why = f"{spec.holder_identity} has not renewed it since {spec.renew_time}, so {effect}"
        return problem("leader", f"Lease {name} is stale", why, todo)
    if not any(spec.holder_identity.startswith(pod) for pod in pods):
        why = "it is no pod of this controller: another one with the same --election-id runs, or it has just gone"
        return warning(
            "leader", f"Lease {name} is held by {spec.holder_identity}", why, "give each controller its own --election-id"
        )
    return ok("leader", f"{spec.holder_identity} leads (Lease {name})")
