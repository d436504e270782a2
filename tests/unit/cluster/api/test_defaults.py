"""What Kubernetes fills in, kind by kind; filling in twice changes nothing."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.defaults import set_defaults
from remora.cluster.api.defaults.pods import pull_policy, quality_of_service

Object = dict[str, Any]

CONTAINER = {"name": "c", "image": "x:1"}
POD_SPEC = {"containers": [CONTAINER]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC}


def defaulted(resource: str, **parts: Any) -> Object:
    obj = deepcopy({"metadata": {"name": "a", "namespace": "default", "uid": "u"}, **parts})
    set_defaults(resource, obj)
    again = deepcopy(obj)
    set_defaults(resource, again)
    assert again == obj
    return obj


def service(**spec: Any) -> Object:
    spec_: Object = defaulted("services", spec=spec)["spec"]
    return spec_


def pod(**spec: Any) -> Object:
    spec_: Object = defaulted("pods", spec=POD_SPEC | spec)["spec"]
    return spec_


def test_a_pod_runs_as_the_default_account_and_has_half_a_minute_to_end() -> None:
    spec = pod()
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert (spec["terminationGracePeriodSeconds"], spec["restartPolicy"]) == (30, "Always")
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_grace_period_of_zero_stays_zero() -> None:
    assert pod(terminationGracePeriodSeconds=0)["terminationGracePeriodSeconds"] == 0


def test_a_new_pod_is_pending() -> None:
    assert defaulted("pods", spec=POD_SPEC)["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("x", "Always"),
        ("x:latest", "Always"),
        ("x:1", "IfNotPresent"),
        ("host:5000/x", "Always"),
        ("host:5000/x:1", "IfNotPresent"),
        ("x@sha256:00", "IfNotPresent"),
    ],
)
def test_an_image_without_a_tag_is_always_pulled(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_a_probe_has_a_second_every_ten() -> None:
    spec = pod(containers=[CONTAINER | {"readinessProbe": {"httpGet": {"port": 80}}}])
    probe = spec["containers"][0]["readinessProbe"]
    assert probe == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_volumes_get_their_source_and_mode() -> None:
    volumes = [{"name": "a"}, {"name": "b", "secret": {"secretName": "s"}}, {"name": "c", "hostPath": {"path": "/"}}]
    assert pod(volumes=volumes)["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "c", "hostPath": {"path": "/", "type": ""}},
    ]


def test_a_fields_reference_names_its_version() -> None:
    variable = {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    spec = pod(containers=[CONTAINER | {"env": [variable]}])
    assert spec["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"


def test_a_limit_is_also_a_request() -> None:
    spec = pod(containers=[CONTAINER | {"resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}}])
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, "Guaranteed"),
        ({"limits": {"cpu": "2", "memory": "1"}, "requests": {"cpu": "1", "memory": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service_follows_from_requests_and_limits(resources: Object, quality: str) -> None:
    assert quality_of_service({"containers": [{"resources": resources}]}) == quality


def test_tolerations_of_ones_own_stay_and_a_universal_one_needs_no_others() -> None:
    assert len(pod(tolerations=[{"key": "node.kubernetes.io/not-ready"}])["tolerations"]) == 2
    assert len(pod(tolerations=[{"operator": "Exists"}])["tolerations"]) == 1


def test_a_deployment_rolls_by_quarters() -> None:
    spec = defaulted("deployments.apps", spec={"template": TEMPLATE})["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert "serviceAccountName" not in spec["template"]["spec"]


def test_replicas_of_zero_stay_zero() -> None:
    for resource in ("deployments.apps", "replicasets.apps", "statefulsets.apps"):
        assert defaulted(resource, spec={"replicas": 0, "template": TEMPLATE})["spec"]["replicas"] == 0


def test_recreation_has_no_rolling_update() -> None:
    spec = defaulted("deployments.apps", spec={"strategy": {"type": "Recreate"}, "template": TEMPLATE})["spec"]
    assert spec["strategy"] == {"type": "Recreate"}


def test_a_job_selects_its_pods_by_its_uid() -> None:
    spec = defaulted("jobs.batch", spec={"template": {"spec": POD_SPEC}})["spec"]
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert spec["template"]["metadata"]["labels"]["job-name"] == "a"
    assert (spec["completions"], spec["parallelism"]) == (1, 1)


def test_a_replication_controller_selects_by_its_templates_labels() -> None:
    assert defaulted("replicationcontrollers", spec={"template": TEMPLATE})["spec"]["selector"] == {"app": "web"}


def test_a_service_forwards_to_its_own_port_number() -> None:
    spec = service(ports=[{"port": 80}])
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["sessionAffinity"], spec["internalTrafficPolicy"]) == ("ClusterIP", "None", "Cluster")


def test_what_belongs_to_another_type_goes_with_it() -> None:
    balanced = service(type="LoadBalancer", ports=[{"port": 80}])
    assert (balanced["externalTrafficPolicy"], balanced["allocateLoadBalancerNodePorts"]) == ("Cluster", True)
    inner = service(**(balanced | {"type": "ClusterIP"}))
    assert not {"externalTrafficPolicy", "allocateLoadBalancerNodePorts"} & set(inner)


def test_affinity_by_address_lasts_three_hours() -> None:
    assert service(sessionAffinity="ClientIP")["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10_800}}


def test_an_external_name_has_no_traffic_policy() -> None:
    assert service(type="ExternalName", externalName="a.example") == {
        "type": "ExternalName",
        "externalName": "a.example",
        "sessionAffinity": "None",
    }


def test_text_of_a_secret_becomes_data() -> None:
    secret = defaulted("secrets", stringData={"a": "b"}, data={"c": "ZA=="})
    assert (secret["data"], secret["type"]) == ({"a": "Yg==", "c": "ZA=="}, "Opaque")
    assert "stringData" not in secret


def test_a_namespace_carries_its_name_as_a_label() -> None:
    namespace = defaulted("namespaces")
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
    assert (namespace["spec"], namespace["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})


def test_a_policy_that_names_no_egress_is_about_ingress() -> None:
    assert defaulted("networkpolicies.networking.k8s.io", spec={})["spec"]["policyTypes"] == ["Ingress"]
    assert defaulted("networkpolicies.networking.k8s.io", spec={"egress": [{}]})["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_users_group_is_that_of_access_control() -> None:
    binding = defaulted("rolebindings.rbac.authorization.k8s.io", subjects=[{"kind": "User"}, {"kind": "ServiceAccount"}])
    assert binding["subjects"] == [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io"}, {"kind": "ServiceAccount"}]


RESOURCES = (
    "daemonsets.apps",
    "statefulsets.apps",
    "cronjobs.batch",
    "horizontalpodautoscalers.autoscaling",
    "nodes",
    "events",
)


@pytest.mark.parametrize("resource", [*RESOURCES, "endpointslices.discovery.k8s.io", "persistentvolumeclaims", "podtemplates"])
def test_filling_in_an_empty_object_twice_changes_nothing(resource: str) -> None:
    defaulted(resource)


@given(st.lists(st.sampled_from(["limits", "requests"]), max_size=2), st.sampled_from(["", "x", "x:1"]))
def test_filling_in_a_pod_twice_changes_nothing(kinds: list[str], image: str) -> None:
    defaulted("pods", spec={"containers": [{"name": "c", "image": image, "resources": {kind: {"cpu": "1"} for kind in kinds}}]})
