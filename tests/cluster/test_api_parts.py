"""Subresources that change a part of an object, and lists in pages, asked without a network."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.fuzzed_server import FuzzedServer

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    made = FuzzedServer(tmp_path_factory.mktemp("parts"))
    yield made
    made.close()


def send(server: FuzzedServer, method: str, path: str, body: Any, media: str = "application/json") -> tuple[int, Any]:
    return server.ask(method, path, json.dumps(body).encode(), media=media)


def put_pod(server: FuzzedServer) -> Any:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    status, made = send(server, "POST", PODS, pod)
    assert status == 201
    return made


@pytest.mark.parametrize("path", [f"{PODS}/p/binding", "/api/v1/namespaces/default/bindings"])
def test_a_pod_is_bound_once(server: FuzzedServer, path: str) -> None:
    put_pod(server)
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert send(server, "POST", path, binding)[0] == 201
    _, pod = server.ask("GET", f"{PODS}/p")
    assert pod["spec"]["nodeName"] == "n"
    assert [c["status"] for c in pod["status"]["conditions"] if c["type"] == "PodScheduled"] == ["True"]
    status, again = send(server, "POST", path, binding)
    assert (status, again["reason"]) == (409, "Conflict")
    assert 'pod p is already assigned to node "n"' in again["message"]


def test_a_binding_needs_a_target(server: FuzzedServer) -> None:
    put_pod(server)
    status, answer = send(server, "POST", f"{PODS}/p/binding", {"metadata": {"name": "p"}, "target": {}})
    assert (status, answer["message"]) == (422, 'Binding "p" is invalid: target.name: Required value')


def test_ephemeral_containers_are_added_and_stay(server: FuzzedServer) -> None:
    before = put_pod(server)
    path, merge = f"{PODS}/p/ephemeralcontainers", "application/merge-patch+json"
    added = {"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}
    status, pod = send(server, "PATCH", path, added, merge)
    assert status == 200
    assert pod["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert pod["spec"]["ephemeralContainers"][0]["imagePullPolicy"]
    status, answer = send(server, "PATCH", path, {"spec": {"ephemeralContainers": None}}, merge)
    assert status == 422
    assert 'existing ephemeral containers "debug" may not be removed' in answer["message"]
    assert send(server, "PATCH", f"{PODS}/p", {"spec": {"ephemeralContainers": None}}, merge)[0] == 422


def test_a_resize_changes_resources_and_nothing_else(server: FuzzedServer) -> None:
    put_pod(server)
    resized = {"spec": {"containers": [{"name": "c", "image": "other", "resources": {"requests": {"cpu": "1"}}}]}}
    status, pod = send(server, "PATCH", f"{PODS}/p/resize", resized, "application/strategic-merge-patch+json")
    assert status == 200
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1"}}
    assert pod["spec"]["containers"][0]["image"] == "x"


def test_a_list_goes_on_as_it_was_when_it_began(server: FuzzedServer) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    for name in "acd":
        send(server, "POST", path, {"metadata": {"name": name}})
    _, first = server.ask("GET", path, query={"limit": 1})
    send(server, "POST", path, {"metadata": {"name": "b"}})
    server.ask("DELETE", f"{path}/d")
    _, rest = server.ask("GET", path, query={"continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_status_that_is_applied_belongs_to_who_applied_it(server: FuzzedServer) -> None:
    put_pod(server)
    status = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"message": "x"}}
    query = {"fieldManager": "me"}
    body = json.dumps(status).encode()
    code, pod = server.ask("PATCH", f"{PODS}/p/status", body, media="application/apply-patch+yaml", query=query)
    assert code == 200
    entry = next(entry for entry in pod["metadata"]["managedFields"] if entry["manager"] == "me")
    assert (entry["operation"], entry["subresource"], entry["fieldsV1"]) == ("Apply", "status", {"f:status": {"f:message": {}}})


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [(1, "less than 10 minutes"), (599, "less than 10 minutes"), ((1 << 32) + 1, "larger than 2^32 seconds")],
)
def test_a_token_for_too_short_or_too_long_is_refused(server: FuzzedServer, seconds: int, bound: str) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    send(server, "POST", accounts, {"metadata": {"name": "robot"}})
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
    status, answer = send(server, "POST", f"{accounts}/robot/token", asked)
    why = f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration {bound}"
    assert (status, answer["message"]) == (422, f'TokenRequest.authentication.k8s.io "" is invalid: {why}')
    asked["spec"] = {"expirationSeconds": 600}
    status, answer = send(server, "POST", f"{accounts}/robot/token", asked)
    assert (status, answer["spec"]["expirationSeconds"]) == (201, 600)
