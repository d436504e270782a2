"""From Services and pods to EndpointSlices and Endpoints."""

from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.controllers import endpoints, endpointslice
from remora.cluster.controllers.actions import Action, Create, Delete, Update
from remora.cluster.objects import Object
from tests.unit.cluster.controllers.workloads import pod


def _service(**spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http", "name": "web"}], **spec},
    }


_numbers = count()


def _apply(slices: list[Object], actions: tuple[Action, ...]) -> list[Object]:
    """The slices after the actions, as the registry would have them."""
    by_name = {slice_["metadata"]["name"]: slice_ for slice_ in slices}
    for action in actions:
        if isinstance(action, Create):
            name = f"web-{next(_numbers)}"
            by_name[name] = {**action.object, "metadata": {**action.object["metadata"], "name": name}}
        elif isinstance(action, Update):
            by_name[action.object["metadata"]["name"]] = action.object
        elif isinstance(action, Delete):
            del by_name[action.name]
    return list(by_name.values())


def _uids(slices: list[Object]) -> list[str]:
    return sorted(endpoint["targetRef"]["uid"] for slice_ in slices for endpoint in slice_["endpoints"])


def test_named_port_is_resolved_and_the_pod_is_named() -> None:
    (create,) = endpointslice.decide(_service(), [pod("a")], [])
    assert isinstance(create, Create)
    assert create.object["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]
    (endpoint,) = create.object["endpoints"]
    assert endpoint["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "a", "uid": "uid-a"}
    assert endpoint["nodeName"] == "remora"
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert create.object["metadata"]["labels"]["kubernetes.io/service-name"] == "web"


def test_service_without_pods_has_one_empty_slice() -> None:
    (create,) = endpointslice.decide(_service(), [], [])
    assert isinstance(create, Create)
    assert (create.object["endpoints"], create.object["ports"]) == ([], [])


def test_unready_addresses_are_published_if_asked_for() -> None:
    service = _service(publishNotReadyAddresses=True)
    (create,) = endpointslice.decide(service, [pod("a", ready=False)], [])
    assert isinstance(create, Create)
    assert create.object["endpoints"][0]["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert endpoints.subsets(service, [pod("a", ready=False)])[0][0].keys() == {"addresses", "ports"}


def test_pods_with_other_port_numbers_get_a_slice_of_their_own() -> None:
    other = pod("b")
    other["spec"] = {"containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 9090}]}]}
    slices = _apply([], endpointslice.decide(_service(), [pod("a"), other], []))
    assert sorted(slice_["ports"][0]["port"] for slice_ in slices) == [8080, 9090]
    assert len(endpoints.subsets(_service(), [pod("a"), other])[0]) == 2


def test_headless_slices_are_marked() -> None:
    (create,) = endpointslice.decide(_service(clusterIP="None"), [pod("a")], [])
    assert isinstance(create, Create)
    assert create.object["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_service_without_selector_is_left_alone() -> None:
    service = _service(selector=None)
    assert endpointslice.decide(service, [pod("a")], []) == ()
    assert endpoints.decide(service, [pod("a")], None) == ()


def test_endpoints_leave_out_the_terminating_and_set_the_unready_apart() -> None:
    leaving = pod("gone", deletionTimestamp="2026-05-01T12:00:00Z")
    (subset,), _ = endpoints.subsets(_service(), [pod("a"), pod("b", ready=False), leaving])
    assert [address["targetRef"]["name"] for address in subset["addresses"]] == ["a"]
    assert [address["targetRef"]["name"] for address in subset["notReadyAddresses"]] == ["b"]


def test_addresses_of_endpoints_are_in_the_order_of_their_text() -> None:
    pods = [pod(name) for name in ("a", "b", "c")]
    for member, address in zip(pods, ("127.64.0.9", "127.64.0.20", "127.64.0.10"), strict=True):
        member["status"]["podIP"] = address
    (subset,), _ = endpoints.subsets(_service(), pods)
    assert [address["ip"] for address in subset["addresses"]] == ["127.64.0.10", "127.64.0.20", "127.64.0.9"]


def test_of_too_many_addresses_the_unready_are_cut_off_and_the_object_says_so() -> None:
    pods = [pod(f"p{n:04}", ready=n % 2 == 0) for n in range(1100)]
    (create,) = endpoints.decide(_service(), pods, None)
    assert isinstance(create, Create)
    (subset,) = create.object["subsets"]
    assert (len(subset["addresses"]), len(subset["notReadyAddresses"])) == (550, 450)
    assert create.object["metadata"]["annotations"] == {endpoints.OVER_CAPACITY: "truncated"}
    assert endpoints.decide(_service(), pods, create.object) == ()
    (fewer,) = endpoints.decide(_service(), pods[:3], create.object)
    assert isinstance(fewer, Update)
    assert "annotations" not in fewer.object["metadata"]


def test_slices_of_a_service_that_lost_its_selector_are_left_to_who_writes_them_now() -> None:
    slices = _apply([], endpointslice.decide(_service(), [pod("a")], []))
    assert endpointslice.decide(_service(selector=None), [pod("a")], slices) == ()


def test_same_node_is_preferred_where_the_service_asks_for_it() -> None:
    (create,) = endpointslice.decide(_service(trafficDistribution="PreferSameNode"), [pod("a")], [])
    assert isinstance(create, Create)
    assert create.object["endpoints"][0]["hints"] == {"forNodes": [{"name": "remora"}]}


def test_pod_that_comes_changes_one_slice_of_many() -> None:
    pods = [pod(f"p{n:03}") for n in range(250)]
    slices = _apply([], endpointslice.decide(_service(), pods, []))
    assert sorted(len(slice_["endpoints"]) for slice_ in slices) == [50, 100, 100]
    changes = endpointslice.decide(_service(), [*pods, pod("new")], slices)
    assert len(changes) == 1


@given(
    rounds=st.lists(st.sets(st.integers(0, 260), max_size=230), min_size=1, max_size=4),
    unready=st.sets(st.integers(0, 260)),
)
def test_slices_always_hold_exactly_the_pods_and_then_rest(rounds: list[set[int]], unready: set[int]) -> None:
    slices: list[Object] = []
    for wanted in rounds:
        pods = [pod(f"p{n}", ready=n not in unready) for n in sorted(wanted)]
        slices = _apply(slices, endpointslice.decide(_service(), pods, slices))
        assert _uids(slices) == sorted(f"uid-p{n}" for n in wanted)
        assert all(len(slice_["endpoints"]) <= endpointslice.MAXIMUM for slice_ in slices)
        assert slices
        assert endpointslice.decide(_service(), pods, slices) == ()
