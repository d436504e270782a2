"""Rows of the workload pages, from objects as the API tells them."""

from typing import Any

import msgspec
import pytest

from remora.core.names import NamespacedName
from remora.dashboard.pod_state import Tone
from remora.dashboard.site import Site
from remora.dashboard.workload_kinds import CRONJOB, DAEMONSET, DEPLOYMENT, JOB, REPLICASET, SORTS, Sort
from remora.dashboard.workload_objects import Event, Ingress, Node, Pod, Service, Workload, read_holder
from remora.dashboard.workload_others import (
    event_rows,
    events_about,
    holder_rows,
    ingress_rows,
    node_rows,
    service_rows,
    services_to,
)
from remora.dashboard.workload_tables import Leaves
from remora.dashboard.workloads import (
    NamespaceRows,
    Workloads,
    chosen,
    namespace_rows,
    owner_path,
    pods_of,
    restart_patch,
    workload_row,
)

Wire = dict[str, Any]


def meta(name: str, *, owner: tuple[str, str] | None = None, namespace: str = "default", **more: Any) -> Wire:
    owners = [{"kind": owner[0], "name": owner[1], "uid": f"uid-{owner[1]}", "controller": True}] if owner else []
    return {"name": name, "namespace": namespace, "uid": f"uid-{name}", "ownerReferences": owners, **more}


def workload(name: str, spec: Wire | None = None, status: Wire | None = None, **more: Any) -> Workload:
    return msgspec.convert({"metadata": meta(name, **more), "spec": spec or {}, "status": status or {}}, Workload)


def pod(name: str, *, reason: str = "", **more: Any) -> Pod:
    state = {"waiting": {"reason": reason}} if reason else {"running": {}}
    containers = [{"name": "main", "ready": not reason, "state": state}]
    wire = {"metadata": meta(name, **more), "spec": {"containers": [{"name": "main"}]}}
    return msgspec.convert({**wire, "status": {"phase": "Running", "containerStatuses": containers}}, Pod)


def found(pods: tuple[Pod, ...] = (), **makers: tuple[Workload, ...]) -> Workloads:
    return Workloads(makers, pods)


WEB = workload("web", {"replicas": 2}, {"readyReplicas": 1, "updatedReplicas": 2})
SET = workload("web-1", {"replicas": 2}, owner=("Deployment", "web"))
PODS = (pod("web-1-a", owner=("ReplicaSet", "web-1")), pod("web-1-b", owner=("ReplicaSet", "web-1"), reason="ErrImagePull"))
CLUSTER = found((*PODS, pod("bare")), deployments=(WEB,), replicasets=(SET, workload("old", {"replicas": 0})))


def test_what_a_deployment_made_stands_under_it_and_what_is_in_trouble_first() -> None:
    (rows,) = namespace_rows(CLUSTER)
    assert [(row.kind, row.name.name, [one.name.name for one in row.pods]) for row in rows.workloads] == [
        ("Deployment", "web", ["web-1-b", "web-1-a"]),
        ("ReplicaSet", "old", []),
    ]
    assert [row.name.name for row in rows.bare] == ["bare"]


def test_a_pod_whose_owner_is_not_shown_is_bare() -> None:
    (rows,) = namespace_rows(found((pod("p", owner=("Thing", "gone")),)))
    assert [row.name.name for row in rows.bare] == ["p"]


def test_owners_in_a_circle_end_nothing() -> None:
    a, b = workload("a", owner=("Deployment", "b")), workload("b", owner=("Deployment", "a"))
    circle = found((pod("p", owner=("Deployment", "a")),), deployments=(a, b))
    assert namespace_rows(circle) == ()
    assert [one.metadata.name for one in pods_of("uid-a", circle)] == ["p"]


def test_the_pods_of_a_workload_are_those_of_all_below_it() -> None:
    assert [one.metadata.name for one in pods_of("uid-web", CLUSTER)] == ["web-1-a", "web-1-b"]
    assert owner_path(PODS[0], CLUSTER) == (("deployments", "web"), ("replicasets", "web-1"))


def test_only_so_many_pods_are_listed_and_the_rest_counted() -> None:
    many = tuple(pod(f"p{n:03}", owner=("Deployment", "web")) for n in range(50))
    row = workload_row(DEPLOYMENT, WEB, many, listed=20)
    assert (len(row.pods), row.unlisted) == (20, 30)


@pytest.mark.parametrize(
    ("sort", "spec", "status", "numbers", "tone"),
    [
        (DEPLOYMENT, {}, {}, (1, 0, 0), Tone.WAITING),
        (DEPLOYMENT, {"replicas": 2}, {"readyReplicas": 2, "updatedReplicas": 2}, (2, 2, 2), Tone.GOOD),
        (DEPLOYMENT, {"replicas": 2}, {"readyReplicas": 2, "updatedReplicas": 1}, (2, 2, 1), Tone.WAITING),
        (DEPLOYMENT, {"replicas": 0}, {}, (0, 0, 0), Tone.DONE),
        (REPLICASET, {"replicas": 1}, {"readyReplicas": 1}, (1, 1, None), Tone.GOOD),
        (DAEMONSET, {}, {"desiredNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 3}, (3, 3, 3), Tone.GOOD),
        (JOB, {"completions": 4}, {"succeeded": 1, "active": 1}, (4, 1, None), Tone.WAITING),
        (CRONJOB, {"schedule": "* * * * *"}, {"active": [{"name": "j"}]}, (None, 1, None), Tone.GOOD),
        (CRONJOB, {"schedule": "* * * * *", "suspend": True}, {}, (None, 0, None), Tone.DONE),
    ],
)
def test_numbers_are_read_where_each_kind_has_them(
    sort: Sort, spec: Wire, status: Wire, numbers: tuple[int | None, int, int | None], tone: Tone
) -> None:
    row = workload_row(sort, workload("w", spec, status), ())
    assert (row.desired, row.ready, row.updated) == numbers
    assert row.tone is tone


@pytest.mark.parametrize(
    ("sort", "conditions", "note", "tone"),
    [
        (DEPLOYMENT, [("Progressing", "False", "ProgressDeadlineExceeded")], "rollout failed", Tone.BAD),
        (DEPLOYMENT, [("ReplicaFailure", "True", "FailedCreate")], "rollout failed", Tone.BAD),
        (JOB, [("Complete", "True", "")], "complete", Tone.DONE),
        (JOB, [("Failed", "True", "")], "failed", Tone.BAD),
        (JOB, [("Suspended", "True", "")], "suspended", Tone.WAITING),
        (JOB, [], "running", Tone.WAITING),
    ],
)
def test_conditions_say_what_numbers_do_not(sort: Sort, conditions: list[tuple[str, str, str]], note: str, tone: Tone) -> None:
    told = [{"type": type_, "status": status, "reason": reason} for type_, status, reason in conditions]
    row = workload_row(sort, workload("w", {}, {"conditions": told}), ())
    assert (row.note, row.tone) == (note, tone)


def test_a_workload_with_a_pod_in_trouble_is_in_trouble() -> None:
    assert workload_row(DEPLOYMENT, WEB, PODS).tone is Tone.BAD


def test_images_are_each_named_once() -> None:
    template = {"spec": {"containers": [{"name": n, "image": i} for n, i in (("a", "x:1"), ("b", "y"), ("c", "x:1"))]}}
    assert workload_row(DEPLOYMENT, workload("w", {"template": template}), ()).images == ("x:1", "y")
    cron = workload("c", {"jobTemplate": {"spec": {"template": template}}})
    assert workload_row(CRONJOB, cron, ()).images == ("x:1", "y")


def test_a_restart_is_kubectls_annotation_on_the_template() -> None:
    now = "2026-01-01T00:00:00Z"
    annotations = {"kubectl.kubernetes.io/restartedAt": now}
    assert restart_patch(now) == {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def event(name: str, about: str, **fields: Any) -> Event:
    return msgspec.convert({"metadata": meta(name), "involvedObject": {"uid": about, "name": about}, **fields}, Event)


def test_events_come_newest_first_by_when_they_were_last_seen() -> None:
    series = {"count": 7, "lastObservedTime": "2026-01-01T00:00:09Z"}
    events = (
        event("a", "x", lastTimestamp="2026-01-01T00:00:03Z", count=2),
        event("b", "y", eventTime="2026-01-01T00:00:01.5Z", lastTimestamp=None, series=series),
        event("c", "x", firstTimestamp="2026-01-01T00:00:05Z"),
    )
    rows = event_rows(events)
    assert [(row.uid, row.count) for row in rows] == [("uid-b", 7), ("uid-c", 1), ("uid-a", 2)]
    assert [one.metadata.name for one in events_about(events, ("x", ""))] == ["a", "c"]
    assert len(event_rows(events, most=1)) == 1


def test_services_that_choose_the_pods_and_ingresses_that_lead_there_are_found() -> None:
    def service(name: str, selector: Wire) -> Service:
        ports = [{"port": 80, "name": "http"}]
        spec = {"selector": selector, "ports": ports, "clusterIP": "10.0.0.1", "type": "LoadBalancer"}
        return msgspec.convert({"metadata": meta(name), "spec": spec}, Service)

    services = (service("web", {"app": "web"}), service("other", {"app": "other"}), service("none", {}))
    (chosen,) = services_to(services, "default", {"app": "web", "tier": "1"})
    assert services_to(services, "elsewhere", {"app": "web"}) == ()
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    rules = [{"host": "a.example.com", "http": {"paths": [{"path": "/x", "pathType": "Prefix", "backend": backend}]}}]
    spec = {"rules": rules, "tls": [{"hosts": ["a.example.com"]}], "defaultBackend": backend}
    ingress = msgspec.convert({"metadata": meta("i"), "spec": spec}, Ingress)
    (row,) = service_rows((chosen,), (ingress,))
    assert [(way.host, way.path, way.port, way.secure) for way in row.ways] == [
        ("a.example.com", "/x", "http", True),
        ("", "/", "http", False),
    ]
    assert (row.external, row.ports, row.selector) == ("<pending>", "80/TCP http", "app=web")
    assert ingress_rows((ingress,))[0].ways == row.ways


@pytest.mark.parametrize("fields", [{"data": {"b": "cGFzcw==", "a": "hidden"}}, {"data": {"b": ""}, "binaryData": {"a": ""}}])
def test_of_a_secret_no_value_leaves_the_decoder(fields: Wire) -> None:
    quoting: Wire = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hidden"}}
    read = read_holder(msgspec.json.encode({"metadata": meta("s", **quoting), "type": "Opaque", **fields}))
    (row,) = holder_rows((read,))
    assert row.keys == ("a", "b")
    assert "hidden" not in repr((read, row))
    assert "cGFzcw" not in repr((read, row))


def test_a_node_is_told_as_kubectl_does() -> None:
    labels = {"node-role.kubernetes.io/control-plane": ""}
    status = {"conditions": [{"type": "Ready", "status": "True"}], "capacity": {"cpu": "4", "pods": "110", "other": "1"}}
    status |= {"addresses": [{"type": "InternalIP", "address": "10.0.0.2"}], "nodeInfo": {"kubeletVersion": "v1.36.0"}}
    wire = {"metadata": meta("n", labels=labels), "spec": {"unschedulable": True}, "status": status}
    (row,) = node_rows((msgspec.convert(wire, Node),))
    assert (row.state, row.roles, row.version) == ("Ready,SchedulingDisabled", "control-plane", "v1.36.0")
    assert (row.address, row.capacity) == ("10.0.0.2", "cpu 4, pods 110")


def test_each_kind_is_where_the_api_has_it() -> None:
    assert SORTS["deployments"].resource.path("n", "d") == "/apis/apps/v1/namespaces/n/deployments/d"
    assert (SORTS["deployments"].group, SORTS["pods"].group) == ("apps", "")
    assert NamespacedName("n", "d") in {workload("d", namespace="n").key}


def names(found: tuple[NamespaceRows, ...]) -> list[str]:
    return [*(row.name.name for one in found for row in one.workloads), *(row.name.name for one in found for row in one.bare)]


def test_a_search_takes_all_its_words_and_trouble_alone_if_wanted() -> None:
    rows = namespace_rows(CLUSTER)
    assert names(chosen(rows, words="deployment WEB-1-a")) == ["web"]
    assert names(chosen(rows, words="pod bare")) == ["bare"]
    assert names(chosen(rows, in_trouble=True)) == ["web"]
    assert chosen(rows, namespace="elsewhere") == ()
    assert chosen(rows, words="nothing") == ()
    assert chosen(rows) == rows


def test_what_is_not_known_for_one_reason_is_told_once() -> None:
    trouble = [("jobs", "no answer"), ("nodes", "forbidden"), ("pods", "no answer")]
    told = Leaves(Site()).notices("unknown", trouble).children
    assert ["jobs, pods may be" in str(told[0]), "nodes may be" in str(told[1])] == [True, True]
