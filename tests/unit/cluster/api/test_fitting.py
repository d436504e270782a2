"""The quick check of a type agrees with the walk that explains what is wrong."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remora.cluster.api import decoding
from remora.cluster.api.errors import ApiError
from remora.cluster.api.fitting import fits
from remora.cluster.api.schemas import find_name

Place = tuple[Any, Any]

SAMPLES: dict[tuple[str, str], dict[str, Any]] = {
    ("v1", "Service"): {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "labels": {"a": "b"}, "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1},
        "spec": {"ports": [{"port": 80, "targetPort": "http", "name": "x"}], "clusterIPs": ["None"], "selector": {"a": "b"}},
    },
    ("v1", "Pod"): {
        "metadata": {"name": "a"},
        "spec": {
            "hostNetwork": True,
            "containers": [
                {"name": "a", "resources": {"limits": {"cpu": "1m", "memory": "1Gi"}}, "ports": [{"containerPort": 1}]}
            ],
            "tolerations": [{"tolerationSeconds": 2**40}],
        },
    },
    ("v1", "Secret"): {"metadata": {"name": "a"}, "data": {"a": "YQ=="}, "type": "Opaque", "immutable": False},
    ("discovery.k8s.io/v1", "EndpointSlice"): {
        "metadata": {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "b"}]},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
    },
}
STRANGE = st.sampled_from(
    [None, "", "x", "YQ=", "1Gi", "2026-13-01", 0, -1, 2**31, 2**63, 1.5, True, [], [None], {}, {"x": None}]
)


@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: str(kind[1]))
def test_an_object_as_it_should_be_needs_no_walk(kind: tuple[str, str]) -> None:
    assert fits(str(find_name(*kind)))(SAMPLES[kind])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_with_and_without_the_quick_check_decoding_says_the_same(data: st.DataObject) -> None:
    version, kind = data.draw(st.sampled_from(sorted(SAMPLES)))
    obj = copy.deepcopy(SAMPLES[version, kind])
    for _ in range(data.draw(st.integers(1, 2))):
        found = places(obj)
        node, key = found[data.draw(st.integers(0, len(found) - 1))]
        if isinstance(node, dict) and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(["name", "unheard", "data", "port"]))
        node[key] = copy.deepcopy(data.draw(STRANGE))
    quick = outcome(obj, version, kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "fits", lambda name: lambda value: False)
        assert quick == outcome(obj, version, kind)


def places(node: Any) -> list[Place]:
    """Every place in an object where something can be put instead."""
    if isinstance(node, dict):
        inside: list[Place] = [(node, key) for key in node]
    elif isinstance(node, list):
        inside = [(node, index) for index in range(len(node))]
    else:
        return []
    return inside + [place for holder, key in inside for place in places(holder[key])]


def outcome(obj: dict[str, Any], version: str, kind: str) -> object:
    try:
        return decoding.decode(obj, api_version=version, kind=kind)
    except ApiError as error:
        return error.to_wire()
