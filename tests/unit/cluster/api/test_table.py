"""What `kubectl get` shows: a row per object, kind by kind."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.table import COLUMNS, render_table
from remora.cluster.api.table.columns import human_duration

Object = dict[str, Any]

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def ago(**delta: float) -> str:
    return (NOW - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def table(resource: str, *objects: Object, **options: Any) -> Object:
    return render_table(COLUMNS[resource], objects, now=NOW, metadata={"resourceVersion": "7"}, **options)


def row(resource: str, is_wide: bool = False, **parts: Any) -> dict[str, Any]:
    """The cells that are shown, by column."""
    metadata = {"name": "a", "creationTimestamp": ago(minutes=5)} | parts.pop("metadata", {})
    shown = table(resource, {"metadata": metadata, **parts})
    columns = [(column["name"], column["priority"]) for column in shown["columnDefinitions"]]
    cells = shown["rows"][0]["cells"]
    assert len(cells) == len(columns)
    return {name: cell for (name, priority), cell in zip(columns, cells, strict=True) if is_wide or not priority}


def pod(*statuses: Object, is_wide: bool = False, metadata: Object | None = None, **status: Any) -> dict[str, Any]:
    containers = [{"name": found.get("name", "c")} for found in statuses] or [{"name": "c"}]
    full = {"phase": "Running", "containerStatuses": list(statuses), **status}
    return row("pods", is_wide, metadata=metadata or {}, spec={"containers": containers, "nodeName": "remora"}, status=full)


RUNNING = {"name": "c", "ready": True, "restartCount": 0, "state": {"running": {}}}


def waiting(reason: str) -> Object:
    return {"name": "c", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": reason}}}


def test_a_running_pod_shows_how_many_of_its_containers_are_ready() -> None:
    assert pod(RUNNING, RUNNING | {"ready": False}) == {
        "Name": "a",
        "Ready": "1/2",
        "Status": "Running",
        "Restarts": "0",
        "Age": "5m",
    }


def test_a_wide_pod_shows_where_it_is() -> None:
    shown = pod(RUNNING, is_wide=True, podIP="127.64.0.5")
    assert (shown["IP"], shown["Node"], shown["Nominated Node"], shown["Readiness Gates"]) == (
        "127.64.0.5",
        "remora",
        "<none>",
        "<none>",
    )


@pytest.mark.parametrize("reason", ["ErrImagePull", "CrashLoopBackOff", "ContainerCreating"])
def test_a_waiting_container_says_why(reason: str) -> None:
    assert pod(waiting(reason), phase="Pending")["Status"] == reason


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ({"reason": "Completed", "exitCode": 0}, "Completed"),
        ({"reason": "Error", "exitCode": 1}, "Error"),
        ({"exitCode": 3}, "ExitCode:3"),
        ({"exitCode": 137, "signal": 9}, "Signal:9"),
    ],
)
def test_an_ended_container_says_how(ended: Object, status: str) -> None:
    assert pod({"name": "c", "ready": False, "restartCount": 0, "state": {"terminated": ended}})["Status"] == status


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    assert pod(RUNNING, metadata={"deletionTimestamp": ago(seconds=1)})["Status"] == "Terminating"


def test_restarts_say_when_the_last_was() -> None:
    last = {"terminated": {"finishedAt": ago(seconds=90)}}
    assert pod(RUNNING | {"restartCount": 3, "lastState": last})["Restarts"] == "3 (90s ago)"


def test_a_pod_that_nobody_looked_at_is_as_its_phase_says() -> None:
    assert row("pods", spec={"containers": [{"name": "c"}]}, status={"phase": "Pending"})["Status"] == "Pending"


def test_a_deployment_shows_its_replicas() -> None:
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "c", "image": "x:1"}]}},
    }
    status = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
    assert row("deployments.apps", is_wide=True, spec=spec, status=status) == {
        "Name": "a",
        "Ready": "2/3",
        "Up-to-date": 3,
        "Available": 2,
        "Age": "5m",
        "Containers": "c",
        "Images": "x:1",
        "Selector": "app=web",
    }


@pytest.mark.parametrize(
    ("spec", "status", "address", "ports"),
    [
        ({"type": "ClusterIP", "clusterIP": "127.64.128.1", "ports": [{"port": 80}]}, {}, "<none>", "80/TCP"),
        ({"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080}]}, {}, "<pending>", "80:30080/TCP"),
        ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "127.64.192.1"}]}}, "127.64.192.1", "<none>"),
        ({"type": "ExternalName", "externalName": "example.org"}, {}, "example.org", "<none>"),
    ],
)
def test_a_service_shows_how_it_is_reached(spec: Object, status: Object, address: str, ports: str) -> None:
    shown = row("services", spec=spec, status=status)
    assert (shown["External-IP"], shown["Port(s)"]) == (address, ports)


def test_an_ingress_shows_class_hosts_address_and_ports() -> None:
    spec = {"ingressClassName": "nginx", "rules": [{"host": f"{letter}.example"} for letter in "abcd"], "tls": [{}]}
    status = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}, {"hostname": "lb.example"}]}}
    assert row("ingresses.networking.k8s.io", spec=spec, status=status) == {
        "Name": "a",
        "Class": "nginx",
        "Hosts": "a.example,b.example,c.example + 1 more...",
        "Address": "127.0.0.1,lb.example",
        "Ports": "80, 443",
        "Age": "5m",
    }


def test_an_ingress_of_nobody_for_every_host() -> None:
    shown = row("ingresses.networking.k8s.io", spec={"defaultBackend": {}}, status={})
    assert (shown["Class"], shown["Hosts"], shown["Address"], shown["Ports"]) == ("<none>", "*", "", "80")


def test_a_slice_shows_where_its_endpoints_are() -> None:
    shown = row(
        "endpointslices.discovery.k8s.io",
        addressType="IPv4",
        ports=[{"port": 8080}],
        endpoints=[{"addresses": ["127.64.0.1"]}, {"addresses": ["127.64.0.2"]}],
    )
    assert (shown["AddressType"], shown["Ports"], shown["Endpoints"]) == ("IPv4", "8080", "127.64.0.1,127.64.0.2")
    assert row("endpointslices.discovery.k8s.io", addressType="IPv4", endpoints=None, ports=None)["Endpoints"] == "<unset>"


def test_an_event_shows_when_it_was_last_seen() -> None:
    shown = row(
        "events",
        involvedObject={"kind": "Pod", "name": "p"},
        type="Warning",
        reason="BackOff",
        message="m",
        lastTimestamp=ago(seconds=10),
        count=4,
    )
    assert shown == {"Last Seen": "10s", "Type": "Warning", "Reason": "BackOff", "Object": "pod/p", "Message": "m"}


def test_secrets_and_config_maps_show_how_much_is_in_them() -> None:
    assert row("secrets", type="Opaque", data={"a": "", "b": ""}) == {"Name": "a", "Type": "Opaque", "Data": 2, "Age": "5m"}
    assert row("configmaps", data={"a": ""}, binaryData={"b": ""})["Data"] == 2


def test_a_row_carries_the_metadata_of_its_object_unless_told_otherwise() -> None:
    obj = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "eA=="}}
    assert table("secrets", obj)["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "a"},
    }
    assert table("secrets", obj, include="Object")["rows"][0]["object"] == obj
    assert "object" not in table("secrets", obj, include="None")["rows"][0]


def test_a_watch_names_the_columns_only_once() -> None:
    assert table("secrets", with_columns=False)["columnDefinitions"] is None


@pytest.mark.parametrize("resource", RESOURCES.names)
def test_every_kind_has_a_row_even_for_an_object_with_nothing_in_it(resource: str) -> None:
    assert "a" in row(resource, is_wide=True).values()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 300, "3h5m"),
        (8 * 3600 + 300, "8h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (48 * 3600, "2d"),
        (8 * 86400, "8d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_are_written_as_kubectl_writes_them(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_an_age_is_never_longer_than_it_says(seconds: int) -> None:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
    total, digits = 0, ""
    for letter in human_duration(seconds):
        if letter.isdigit():
            digits += letter
        else:
            total, digits = total + int(digits) * units[letter], ""
    assert total <= seconds


def metric(kind: str, name: str = "", **value: Any) -> Object:
    key = kind[0].lower() + kind[1:]
    named = {"name": name} if "esource" in kind else {"metric": {"name": name}}
    return {"type": kind, key: {**named, "target": value}}


@pytest.mark.parametrize(
    ("metrics", "current", "shown"),
    [
        ([], [], "<none>"),
        ([metric("Resource", "cpu", averageUtilization=50)], [], "cpu: <unknown>/50%"),
        (
            [metric("Resource", "cpu", averageUtilization=50)],
            [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7}}}],
            "cpu: 7%/50%",
        ),
        ([metric("ContainerResource", "memory", averageValue="1Gi")], [], "memory: <unknown>/1Gi"),
        ([metric("Pods", "rps", averageValue="10"), metric("Object", "q", value="3")], [], "<unknown>/10, <unknown>/3"),
        ([metric("External", "e", averageValue="1")] * 3, [], "<unknown>/1 (avg), <unknown>/1 (avg) + 1 more..."),
        ([{"type": "New"}], [], "<unknown type>"),
    ],
)
def test_an_autoscaler_shows_what_it_goes_by(metrics: list[Object], current: list[Object], shown: str) -> None:
    cells = row(
        "horizontalpodautoscalers.autoscaling",
        spec={"metrics": metrics, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        status={"currentMetrics": current},
    )
    assert cells["Targets"] == shown
