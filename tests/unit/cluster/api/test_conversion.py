"""Objects of other versions to the stored one and back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.conversion import from_stored, to_stored
from remora.cluster.api.resources import RESOURCES, Resource

Object = dict[str, Any]


def row(api_version: str, kind: str) -> Resource:
    found = RESOURCES.find_by_kind(api_version, kind)
    assert found is not None
    return found


OLD_INGRESS = row("extensions/v1beta1", "Ingress")
NEW_INGRESS = row("networking.k8s.io/v1", "Ingress")
EVENT = row("events.k8s.io/v1", "Event")
AUTOSCALER = row("autoscaling/v1", "HorizontalPodAutoscaler")


def old_ingress(**spec: Any) -> Object:
    return {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": spec}


def rules(path: Object) -> list[Object]:
    return [{"host": "a.example", "http": {"paths": [path]}}]


def test_an_old_backend_becomes_a_service_by_number_or_name() -> None:
    for port, wanted in ((80, {"number": 80}), ("http", {"name": "http"})):
        old = old_ingress(rules=rules({"path": "/foo", "backend": {"serviceName": "web", "servicePort": port}}))
        path = to_stored(OLD_INGRESS, old)["spec"]["rules"][0]["http"]["paths"][0]
        assert path == {
            "path": "/foo",
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "web", "port": wanted}},
        }


def test_an_old_default_backend_changes_its_name() -> None:
    stored = to_stored(OLD_INGRESS, old_ingress(backend={"serviceName": "web", "servicePort": 80}))
    assert stored["spec"] == {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}


def test_a_path_type_that_was_given_stays() -> None:
    old = old_ingress(rules=rules({"pathType": "Exact", "backend": {"serviceName": "web", "servicePort": 80}}))
    assert to_stored(OLD_INGRESS, old)["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Exact"


def test_what_is_stored_is_served_as_its_own_version_unchanged() -> None:
    stored = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": []}}
    assert from_stored(NEW_INGRESS, stored) is stored
    assert to_stored(NEW_INGRESS, stored) is stored


def test_what_has_not_the_shape_of_an_ingress_is_left_for_the_checks() -> None:
    for spec in ({"rules": "x"}, {"rules": ["x", {"http": "y"}]}, {"backend": "x"}, {"backend": {"resource": {"kind": "A"}}}):
        assert from_stored(OLD_INGRESS, to_stored(OLD_INGRESS, old_ingress(**spec)))["spec"] == spec
    assert to_stored(OLD_INGRESS, {"metadata": {}}) == {"metadata": {}}


names = st.text("abc-", min_size=1, max_size=4)
backends = st.builds(
    lambda name, port: {"serviceName": name, "servicePort": port},
    names,
    st.integers(1, 65535) | st.sampled_from(["http", "web"]),
)
paths = st.fixed_dictionaries(
    {"backend": backends, "pathType": st.sampled_from(["Exact", "Prefix", "ImplementationSpecific"])}, optional={"path": names}
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "backend": backends,
        "ingressClassName": names,
        "tls": st.just([{"secretName": "s"}]),
        "rules": st.lists(st.builds(lambda found: {"http": {"paths": found}}, st.lists(paths, max_size=3)), max_size=3),
    },
)


@given(specs)
def test_an_old_ingress_comes_back_as_it_was_given(spec: Object) -> None:
    old = old_ingress(**spec)
    assert from_stored(OLD_INGRESS, to_stored(OLD_INGRESS, old)) == old


def test_an_event_has_other_names_in_its_own_group() -> None:
    stored = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p"},
        "message": "m",
        "reportingComponent": "kubelet",
        "source": {},
        "count": 2,
    }
    served = from_stored(EVENT, stored)
    assert served["apiVersion"] == "events.k8s.io/v1"
    assert (served["regarding"], served["note"], served["deprecatedCount"]) == ({"kind": "Pod", "name": "p"}, "m", 2)
    assert served["reportingController"] == "kubelet"
    assert to_stored(EVENT, served) | {"apiVersion": "v1"} == stored


def autoscaler(**parts: Any) -> Object:
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, **parts}


def cpu(target: int) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}


MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}
CURRENT = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 40, "averageValue": "400m"}}}


def test_an_autoscaler_of_version_1_has_its_cpu_target_in_the_spec() -> None:
    served = from_stored(AUTOSCALER, autoscaler(spec={"maxReplicas": 3, "metrics": [cpu(70)]}))
    assert served["spec"] == {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70}
    assert "annotations" not in served["metadata"]


@given(
    st.lists(st.sampled_from([cpu(70), cpu(50), MEMORY]), min_size=1, max_size=3),
    st.lists(st.just(CURRENT), max_size=1),
    st.sampled_from([None, {"scaleDown": {"policies": []}}]),
)
def test_an_autoscaler_loses_nothing_by_way_of_version_1(
    metrics: list[Object], currents: list[Object], behavior: Object | None
) -> None:
    spec: Object = {"maxReplicas": 3, "metrics": metrics} | ({"behavior": behavior} if behavior else {})
    status: Object = {"desiredReplicas": 0} | ({"currentMetrics": currents} if currents else {})
    stored = autoscaler(spec=spec, status=status)
    assert to_stored(AUTOSCALER, from_stored(AUTOSCALER, stored)) | {"apiVersion": "autoscaling/v2"} == stored


def test_a_broken_annotation_counts_as_absent() -> None:
    annotations = {"autoscaling.alpha.kubernetes.io/metrics": "{"}
    given_ = autoscaler(spec={"maxReplicas": 1}) | {"metadata": {"name": "h", "annotations": annotations}}
    assert "metrics" not in to_stored(AUTOSCALER, given_)["spec"]
