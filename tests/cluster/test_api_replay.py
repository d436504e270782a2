"""Requests to a real Kubernetes 1.36 API server, made again to ours: the same answers, save what differs from run to run.

The recorded cluster had controllers and other kinds; ours here has neither. What differs for such a reason is listed with it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from multidict import CIMultiDictProxy
from yarl import URL

from remora.cluster.api import openapi
from remora.cluster.api.resources import RESOURCES
from tests.cluster.api_server import Running, running_api_server

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "kubernetes-1.36" / "exchanges.jsonl"

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of a Kubernetes API server are not here")

Json = Any

NOT_COMPARED: Mapping[str, str] = {
    "ing-v1beta1": "we serve this old version, Kubernetes no longer does",
    "list-continue": "the page lies where controllers of the recorded cluster made objects",
}
"""Exchanges whose answers differ by nature, and why; of all others the status and a Status are compared."""

NOT_SERVED = frozenset(
    {
        "mutatingadmissionpolicies",  # webhooks are called, policies in CEL are not
        "mutatingadmissionpolicybindings",
        "apiregistration.k8s.io",  # nothing is aggregated here
        "resource.k8s.io",  # a process has no devices
    }
)
"""Groups and resources of the recorded server that need not be served."""

NOT_SERVED_BELOW = frozenset(
    {
        "nodes/proxy",  # the node is a part of this server
        "services/proxy",  # a Service has an address that this machine reaches
    }
)
"""Subresources of the recorded server that need not be served."""

VOLATILE = frozenset(
    {
        # given by the server, another each time
        "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "lastTransitionTime", "continue",
        # addresses are others
        "clusterIP", "clusterIPs", "nodePort", "serverAddress",
        # objects of others are counted
        "remainingItemCount",
        # made by a controller
        "deployment.kubernetes.io/revision",
        # the recorded server lacked the admission plug-ins that give it
        "serviceAccount", "serviceAccountName", "f:serviceAccount", "f:serviceAccountName", "f:priority", "f:preemptionPolicy",
        "f:tolerations",
        # which build of the server, which is all that may differ in its version
        "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler",
    }
)  # fmt: skip
"""What differs from run to run."""

OTHERS = frozenset({"kube-root-ca.crt", "service-ca.crt", "openshift-service-ca.crt"})
"""Objects that controllers of the recorded cluster made."""


class Translation:
    """What the recorded server chose, and what ours chose in its place."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {'"admin"': '"kubernetes-admin"'}

    def learn(self, recorded: Json, ours: Json) -> None:
        if isinstance(recorded, dict) and isinstance(ours, dict):
            for key in ("uid", "resourceVersion", "continue"):
                if isinstance(recorded.get(key), str) and isinstance(ours.get(key), str):
                    self._ours[recorded[key]] = ours[key]
            if recorded.get("generateName"):
                self._ours[recorded["name"]] = ours.get("name", "")
            for key in recorded.keys() & ours.keys():
                self.learn(recorded[key], ours[key])

    def apply(self, text: str) -> str:
        for recorded, ours in self._ours.items():
            text = text.replace(recorded, ours)
        return text


def essence(body: Json) -> Json:
    """What two answers to the same request have in common."""
    if isinstance(body, str):
        # The difference of Go structs that Kubernetes adds to some messages, and where the server's clock of changes stands.
        return re.sub(r"current: [0-9]+", "current", body.partition("\n@@")[0])
    if isinstance(body, list):
        items = [essence(item) for item in body if not _is_anothers(item)]
        # Kubernetes checks metadata up to four times, and says each time what is wrong.
        return [item for index, item in enumerate(items) if item not in items[:index]]
    if not isinstance(body, dict):
        return body
    kept = {key: essence(value) for key, value in body.items() if key not in VOLATILE}
    if body.get("kind") == "Deployment" or (body.get("spec") or {}).get("type") == "LoadBalancer":
        kept.pop("status", None)  # of a controller; our load balancers have their address at once
    if body.get("type") == "string" and "priority" in body:
        kept.pop("description")  # of a table's column
    if "generateName" in kept:
        kept.pop("name", None)
    if "managedFields" in kept:
        # Entries of one second are in the order of their owners, and seconds differ.
        kept["managedFields"] = sorted(
            kept["managedFields"], key=lambda entry: (entry["manager"], entry.get("subresource", ""))
        )
    if "cells" in kept:
        # Ages and what controllers did differ; how many columns there are and the name do not.
        kept["cells"] = (kept["cells"][0], len(kept["cells"]))
    return {key: value for key, value in kept.items() if value not in ({}, [], None) or key.startswith(("f:", "k:", "v:", "."))}


def _is_anothers(item: Json) -> bool:
    if not isinstance(item, dict):
        return False
    if item.get("manager") == "kube-controller-manager":
        return True
    found = item.get("object", item)
    if found.get("type") == "BOOKMARK" or item.get("type") == "BOOKMARK":
        return "annotations" not in (found.get("metadata") or {})
    name = (found.get("metadata") or {}).get("name", "")
    return name in OTHERS or name.startswith("web-")


def exchanges() -> Iterator[dict[str, Json]]:
    for line in RECORDED.read_text().splitlines():
        yield json.loads(line)


async def answer(api: Running, request: dict[str, Json], translation: Translation) -> tuple[int, CIMultiDictProxy[str], Json]:
    body = translation.apply(request["body"]) if request["body"] else None
    # The recording client names no charset and quotes nothing more, so the path goes out as it is.
    url = URL(api.server + translation.apply(request["path"]), encoded=True)
    async with api.session.request(
        request["method"], url, data=body, headers={"User-Agent": "Python-urllib/3.14", **request["headers"]}
    ) as response:
        text = await response.text()
        return response.status, response.headers, parsed(text, is_watch="watch=true" in request["path"])


def parsed(text: str, *, is_watch: bool) -> Json:
    try:
        lines = [json.loads(line) for line in text.splitlines()] if is_watch else json.loads(text)
    except ValueError:
        return text
    return lines[0] if is_watch and lines and lines[0].get("kind") == "Status" else lines


async def test_our_answers_are_those_of_kubernetes(tmp_path: Path) -> None:
    differences = []
    async with running_api_server(tmp_path) as api:
        translation = Translation()
        for exchange in exchanges():
            recorded = exchange["response"]
            status, headers, body = await answer(api, exchange["request"], translation)
            translation.learn(recorded["body"], body)
            if exchange["id"] in NOT_COMPARED:
                continue
            recorded_body = json.loads(translation.apply(json.dumps(recorded["body"])))
            recorded_body, body = served_alike(recorded_body, body)
            media, warnings = recorded["headers"]["Content-Type"][0], recorded["headers"].get("Warning", [])
            want = (recorded["status"], media, warnings, essence(recorded_body))
            got = (status, headers.get("Content-Type", ""), headers.getall("Warning", []), essence(body))
            if got != want:
                differences.append(f"{exchange['id']}\n  want {want}\n  got  {got}")
    assert not differences, "\n".join(differences)


def served_alike(recorded: Json, ours: Json) -> tuple[Json, Json]:
    """Two documents that say what is served, each without what the other may leave out; other answers as they are.

    Groups come in another order here: those that people mean first.
    """
    if not isinstance(recorded, dict) or not isinstance(ours, dict):
        return recorded, ours
    if "paths" in recorded and "kind" not in recorded:
        return {"paths": sorted(ours["paths"].keys() - OURS)}, {
            "paths": sorted(recorded["paths"].keys() & ours["paths"].keys())
        }
    for key in ("groups", "items", "resources"):
        if recorded.get("kind") in ("APIGroupList", "APIResourceList", "APIGroupDiscoveryList") and key in recorded:
            recorded, ours = ({**body, key: _listed(body[key])} for body in (recorded, ours))
            assert ours[key].keys() - recorded[key].keys() <= OURS
    return recorded, ours


OURS = frozenset(
    {"extensions", "metrics.k8s.io"}
    | {f"apis/{name}/v1beta1" for name in ("extensions", "networking.k8s.io", "metrics.k8s.io")}
)
"""What we serve and the recorded server does not: versions of old, and what the metrics server adds to a cluster."""


def _listed(entries: list[Json]) -> dict[str, Json]:
    """What is listed, by name, without what need not be served."""
    found = {}
    for entry in entries:
        name = entry.get("name") or entry.get("resource") or (entry.get("metadata") or {}).get("name", "")
        if name in NOT_SERVED or name in NOT_SERVED_BELOW or name in OURS:
            continue
        entry = dict(entry)
        if "subresources" in entry:
            below = [part for part in entry["subresources"] if f"{name}/{part['subresource']}" not in NOT_SERVED_BELOW]
            entry["subresources"] = [{**part, "verbs": []} if part["subresource"] == "proxy" else part for part in below]
        if name.endswith("/proxy"):
            entry["verbs"] = []
        entry["versions"] = [
            {**version, "resources": _listed(version["resources"])} if "resources" in version else version
            for version in entry.get("versions", ())
            if version["version"] != "v1beta1"
        ]
        found[name] = entry
    return found


OPENAPI = RECORDED.with_name("openapi-v2.json")
_METHODS = ("get", "put", "post", "delete", "patch")


def _operations(document: Json) -> dict[str, set[str]]:
    return {path: {method for method in _METHODS if method in found} for path, found in document["paths"].items()}


def _served() -> dict[str, set[str]]:
    """What we serve and the recorded server does, too."""
    found = _operations(json.loads(openapi.whole_document(RESOURCES)))
    return {path: verbs for path, verbs in found.items() if "v1beta1" not in path}


def test_every_path_that_we_serve_has_the_verbs_of_kubernetes() -> None:
    recorded, ours = _operations(json.loads(OPENAPI.read_text())), _served()
    assert len(ours) > 180
    different = {path: (verbs, recorded.get(path)) for path, verbs in ours.items() if verbs != recorded.get(path)}
    assert {path: verbs for path, verbs in different.items() if "/proxy" not in path} == {}
    # What goes on to a pod or Service is a GET here.
    assert all(found is not None and verbs <= found for verbs, found in different.values())


def test_every_path_of_kubernetes_is_served_or_known_not_to_be() -> None:
    recorded, ours = _operations(json.loads(OPENAPI.read_text())), _served()
    below = tuple(f"/{name.partition('/')[0]}/{{name}}/{name.partition('/')[2]}" for name in NOT_SERVED_BELOW)
    missing = {
        path
        for path in recorded
        if path.startswith(("/api/", "/apis/"))
        and path not in ours
        and "watch" not in path.split("/")
        and not NOT_SERVED & set(path.split("/"))
        and not path.removesuffix("/{path}").endswith(below)
    }
    assert {path for path in missing if len(path.split("/")) > 4 + path.startswith("/apis")} == set()


def test_operations_have_the_names_that_generated_clients_know() -> None:
    recorded = json.loads(OPENAPI.read_text())["paths"]
    ours = json.loads(openapi.whole_document(RESOURCES))["paths"]
    for path in _served():
        for method in _METHODS:
            if method in ours[path]:
                assert ours[path][method]["operationId"] == recorded[path][method]["operationId"]
