"""The manifests grant what the controller asks for, and nothing that it never asks for."""

import itertools
from datetime import UTC, datetime
from typing import Any

import yaml

from tests.features.test_controller_end_to_end import STICKY, Bench, _ingress, answers, bench, eventually
from tests.support import helm
from tests.support.api import Access
from tests.support.rights import MANIFEST, granted

__all__ = ["bench"]

OWN = "ingress-remora"
POD = {"metadata": {"name": "controller-1", "namespace": OWN, "labels": {"app": "r"}}, "spec": {"nodeName": "n1"}}
BROKEN = "nginx.ingress.kubernetes.io/affinity"
COUNTS = ("patch", "", "pods")
"""Sessions are counted every ten seconds (tests/unit/status): too long to be waited for here."""


def rights_of(documents: list[Any]) -> set[tuple[str, str, str]]:
    return {
        (verb, group, resource)
        for obj in documents
        if obj["kind"] in ("ClusterRole", "Role")
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def lease_of_another(name: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 2, "renewTime": now, "acquireTime": now}
    return {"metadata": {"name": name, "namespace": OWN}, "spec": spec}


async def check_rights(bench: Bench, documents: list[Any], *flags: str, lease: str = "ingress-controller-leader") -> None:
    """The controller has a life in which it asks for all that it ever does; the bench refuses what is not granted."""
    may = granted(documents)
    asked: set[tuple[str, str, str]] = set()

    def ask(access: Access) -> bool:
        asked.add((access.verb, access.group, access.resource))
        return may(access)

    bench.api.may = ask
    bench.api.put("pods", POD)
    bench.api.put("nodes", {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}}})
    await bench.set_pods("a")
    bench.api.put("ingresses", _ingress("web", "web.test", annotations=STICKY))
    unused = rights_of(documents) - {COUNTS}

    turns = itertools.count()

    async def everything() -> bool:
        turn, rest = divmod(next(turns), 15)
        if rest == 0:  # a problem that goes and comes back is an Event that is told again
            bench.api.put("ingresses", _ingress("bad", "bad.test", annotations={} if turn % 2 else {BROKEN: "a|b"}))
        if ("update", "coordination.k8s.io", "leases") in asked and ("watch", "coordination.k8s.io", "leases") not in asked:
            bench.api.put("leases", lease_of_another(lease))
        unused.difference_update(asked)
        return not unused

    flags += ("--election-ttl=2", f"--peers-service={OWN}/peers")
    async with bench.controller(*flags) as controller:
        await answers(controller, "web.test")
        try:
            await eventually(everything)
        except TimeoutError:
            raise AssertionError(f"granted and never asked for: {sorted(unused)}") from None


async def test_the_cluster_wide_rights_are_those_that_the_controller_uses(bench: Bench) -> None:
    documents = [obj for obj in yaml.safe_load_all(MANIFEST.read_text()) if obj]
    await check_rights(bench, documents, "--enable-topology-aware-routing", "--node-name=n1")


async def test_the_chart_s_rights_for_one_namespace_are_those_that_the_controller_uses(bench: Bench) -> None:
    bench.api.put("configmaps", {"metadata": {"name": "settings", "namespace": OWN}})
    flags = ("--watch-namespace=shop", "--election-id=shop-leader", f"--configmap={OWN}/settings")
    await check_rights(bench, helm.objects_of("everything"), *flags, lease="shop-leader")
