"""Requests to a real Kubernetes 1.36 API server, made again to ours: the same answers, save what differs from run to run.

The recorded cluster had controllers and other kinds; ours here has neither. What differs for such a reason is listed with it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.cluster.api_server import Running, running_api_server

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "kubernetes-1.36" / "exchanges.jsonl"

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of a Kubernetes API server are not here")

Json = Any

NOT_COMPARED: Mapping[str, str] = {
    "discovery-00": "the version is ours",
    "discovery-01": "the address is ours",
    "discovery-02": "our groups are fewer",
    "discovery-03": "our resources are fewer",
    "discovery-06": "addresses of Services are not objects of ours",
    "discovery-15": "our groups are fewer",
    "discovery-aggregated-api": "our resources are fewer",
    "discovery-aggregated-apis": "our groups are fewer",
    "ing-v1beta1": "we serve this old version, Kubernetes no longer does",
    "pod-immutable": "Kubernetes adds the difference of its Go structs to the message",
    "list-rv-future": "the current version is another",
    "list-continue": "controllers of the recorded cluster made some of the objects",
    "list-continue-bad": "Go's JSON parser has words of its own",
    "cm-merge-invalid-result": "Kubernetes says the same thing four times",
    "pod-log-not-ready": "here the node has a log of every pod",
    "svc-lb": "our load balancers have their address at once",
    "svc-clusterip-immutable": "the refused value is shown as text, not as a list",
    "whoami": "the administrator has another name",
}
"""Exchanges whose answers differ by nature, and why."""

VOLATILE = frozenset(
    {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields", "time", "continue",
     "remainingItemCount", "lastTransitionTime",
     "clusterIP", "clusterIPs", "nodePort", "storageVersionHash", "deployment.kubernetes.io/revision", "serviceAccount",
     "serviceAccountName"}
)  # fmt: skip
"""Differs from run to run, or was not given because the recorded server lacked an admission plug-in."""

OTHERS = frozenset({"kube-root-ca.crt", "service-ca.crt", "openshift-service-ca.crt"})
"""Objects that controllers of the recorded cluster made."""


class Translation:
    """What the recorded server chose, and what ours chose in its place."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}

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
    if isinstance(body, list):
        return [essence(item) for item in body if not _is_anothers(item)]
    if not isinstance(body, dict):
        return body
    kept = {key: essence(value) for key, value in body.items() if key not in VOLATILE}
    if body.get("kind") == "Deployment":
        kept.pop("status", None)
    if body.get("type") == "string" and "priority" in body:
        kept.pop("description")  # of a table's column
    if "generateName" in kept:
        kept.pop("name", None)
    if "cells" in kept:
        # Ages and what controllers did differ; how many columns there are and the name do not.
        kept["cells"] = (kept["cells"][0], len(kept["cells"]))
    return {key: value for key, value in kept.items() if value not in ({}, None)}


def _is_anothers(item: Json) -> bool:
    if not isinstance(item, dict):
        return False
    found = item.get("object", item)
    if found.get("type") == "BOOKMARK" or item.get("type") == "BOOKMARK":
        return "annotations" not in (found.get("metadata") or {})
    name = (found.get("metadata") or {}).get("name", "")
    return name in OTHERS or name.startswith("web-")


def exchanges() -> Iterator[dict[str, Json]]:
    for line in RECORDED.read_text().splitlines():
        yield json.loads(line)


async def answer(api: Running, request: dict[str, Json], translation: Translation) -> tuple[int, Mapping[str, str], Json]:
    body = translation.apply(request["body"]) if request["body"] else None
    # The recording client names no charset and quotes nothing more, so the path goes out as it is.
    url = URL(api.server + translation.apply(request["path"]), encoded=True)
    async with api.session.request(request["method"], url, data=body, headers=request["headers"]) as response:
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
            want = (recorded["status"], recorded["headers"]["Content-Type"][0], essence(recorded_body))
            got = (status, headers.get("Content-Type", ""), essence(body))
            if got != want:
                differences.append(f"{exchange['id']}\n  want {want}\n  got  {got}")
    assert not differences, "\n".join(differences)
