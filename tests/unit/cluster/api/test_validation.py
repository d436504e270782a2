"""What is refused, in Kubernetes' words (taken from answers of a Kubernetes 1.36 API server where it gave them)."""

from copy import deepcopy
from typing import Any

import pytest

from remora.cluster.api.defaults import set_defaults
from remora.cluster.api.validation import check, check_update

Object = dict[str, Any]

FIRST = "spec.containers[0]"
PORT_RANGE = "must be between 1 and 65535, inclusive"


def wrong(resource: str, **parts: Any) -> list[str]:
    obj = deepcopy({"metadata": {"name": "a", "namespace": "default"}, **parts})
    set_defaults(resource, obj)
    return [str(cause) for cause in check(resource, obj)]


def pod(*containers: Object, **spec: Any) -> list[str]:
    return wrong("pods", spec={"containers": list(containers), **spec})


def container(**fields: Any) -> Object:
    return {"name": "c", "image": "x", **fields}


def service(*ports: Object, **spec: Any) -> list[str]:
    return wrong("services", spec={"selector": {"app": "a"}, "ports": list(ports), **spec})


def ingress(host: str = "", **path: Any) -> list[str]:
    backend = {"service": {"name": "w", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend, **path}]}}
    return wrong("ingresses.networking.k8s.io", spec={"rules": [rule]})


def deployment(labels: Object | None, selector: Object | None, **spec: Any) -> list[str]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container()]}}
    return wrong("deployments.apps", spec={"template": template, "selector": selector, **spec})


def test_good_objects_pass() -> None:
    assert pod(container(ports=[{"containerPort": 80}], env=[{"name": "A", "value": "b"}])) == []
    assert service({"port": 80}, {"port": 80, "protocol": "UDP", "name": "x"})[0:1] == ["spec.ports[0].name: Required value"]
    assert service({"port": 80}) == []
    assert ingress("*.example.com") == []
    assert deployment({"app": "a"}, {"matchLabels": {"app": "a"}}) == []


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([], "spec.containers: Required value"),
        ([{"name": "c"}], "spec.containers[0].image: Required value"),
        ([{"image": "x"}], "spec.containers[0].name: Required value"),
        ([container(), container()], 'spec.containers[1].name: Duplicate value: "c"'),
        ([container(ports=[{"containerPort": 0}])], f"{FIRST}.ports[0].containerPort: Invalid value: 0: {PORT_RANGE}"),
        ([container(ports=[{}])], "spec.containers[0].ports[0].containerPort: Required value"),
        ([container(env=[{"value": "x"}])], "spec.containers[0].env[0].name: Required value"),
        ([container(livenessProbe={})], "spec.containers[0].livenessProbe: Required value: must specify a handler type"),
        (
            [container(readinessProbe={"httpGet": {"port": 80}, "tcpSocket": {"port": 1}})],
            "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        ([container(volumeMounts=[{"name": "v", "mountPath": "/"}])], f'{FIRST}.volumeMounts[0].name: Not found: "v"'),
        (
            [container(imagePullPolicy="Often")],
            f'{FIRST}.imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
        ),
    ],
)
def test_a_faulty_container_is_refused(containers: list[Object], expected: str) -> None:
    assert pod(*containers) == [expected]


def test_volumes_have_names_of_their_own() -> None:
    assert pod(container(), volumes=[{"name": "v"}, {"name": "v"}, {}]) == [
        'spec.volumes[1].name: Duplicate value: "v"',
        "spec.volumes[2].name: Required value",
    ]


def test_a_deployment_selects_what_it_makes() -> None:
    mismatch = '{"app":"x"}: `selector` does not match template `labels`'
    assert deployment({"app": "x"}, {"matchLabels": {"app": "other"}}) == [
        f"spec.template.metadata.labels: Invalid value: {mismatch}"
    ]
    assert deployment(None, None) == [
        "spec.selector: Required value",
        "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`",
    ]
    assert deployment({"app": "x"}, {"matchLabels": {"app": "x"}}, replicas=-1) == [
        "spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    ]


def test_a_deployments_pods_are_always_restarted() -> None:
    spec = {"containers": [container()], "restartPolicy": "Never"}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    assert wrong("deployments.apps", spec={"selector": {"matchLabels": {"a": "b"}}, "template": template}) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([], ["spec.ports: Required value"]),
        ([{"port": 80}, {"port": 81}], ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"]),
        (
            [{"port": 0}],
            [
                f"spec.ports[0].port: Invalid value: 0: {PORT_RANGE}",
                f"spec.ports[0].targetPort: Invalid value: 0: {PORT_RANGE}",
            ],
        ),
        ([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}], ['spec.ports[1].name: Duplicate value: "a"']),
    ],
)
def test_faulty_ports_of_a_service_are_refused(ports: list[Object], expected: list[str]) -> None:
    assert service(*ports) == expected


def test_a_service_has_a_type_that_exists() -> None:
    assert service({"port": 80}, type="Foo") == [
        'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
    ]


def test_a_service_elsewhere_needs_a_name_and_no_ports() -> None:
    assert service(type="ExternalName") == ["spec.externalName: Required value"]
    assert service(type="ExternalName", externalName="example.org") == []


PATH = "spec.rules[0].http.paths[0]"
PATH_TYPES = '"Exact", "ImplementationSpecific", "Prefix"'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ({"pathType": "Foo"}, f'{PATH}.pathType: Unsupported value: "Foo": supported values: {PATH_TYPES}'),
        ({"pathType": None}, f"{PATH}.pathType: Required value: pathType must be specified"),
        ({"path": "foo"}, f'{PATH}.path: Invalid value: "foo": must be an absolute path'),
        ({"path": "/a//b"}, f"{PATH}.path: Invalid value: \"/a//b\": must not contain '//'"),
        ({"path": "/a/.."}, f"{PATH}.path: Invalid value: \"/a/..\": cannot end with '/..'"),
        (
            {"backend": {"service": {"name": "w", "port": {"number": 80, "name": "x"}}}},
            f'{PATH}.backend: Invalid value: "": cannot set both port name & port number',
        ),
        ({"backend": {"service": {"name": "w"}}}, f"{PATH}.backend: Required value: port name or number is required"),
        ({"backend": {"service": {"port": {"number": 80}}}}, f"{PATH}.backend.service.name: Required value"),
    ],
)
def test_a_faulty_path_is_refused(path: Object, expected: str) -> None:
    assert ingress(**path) == [expected]


def test_a_regular_expression_is_left_to_the_controller() -> None:
    assert ingress(path="/foo(/|$)(.*)", pathType="ImplementationSpecific") == []


def test_a_host_is_a_lower_case_dns_name() -> None:
    assert ingress("1.2.3.4") == ['spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address']
    assert ingress("Foo_bar")[0].startswith('spec.rules[0].host: Invalid value: "Foo_bar": a lowercase RFC 1123 subdomain')
    assert ingress("a.*.example")[0].startswith(
        'spec.rules[0].host: Invalid value: "a.*.example": a wildcard DNS-1123 subdomain'
    )


def test_an_ingress_says_where_something_goes() -> None:
    assert wrong("ingresses.networking.k8s.io", spec={}) == [
        "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("HTTP", "must contain only alpha-numeric characters"),
        ("123", "must contain at least one letter"),
        ("a--b", "must not contain consecutive hyphens"),
        ("-a", "must not begin or end with a hyphen"),
        ("a-name-that-is-too-long", "must be no more than 15 characters"),
    ],
)
def test_a_ports_name_is_a_service_name(name: str, fault: str) -> None:
    assert any(fault in found for found in ingress(backend={"service": {"name": "w", "port": {"name": name}}}))


def test_a_tls_secret_has_both_parts() -> None:
    assert wrong("secrets", type="kubernetes.io/tls", data={}) == [
        "data[tls.crt]: Required value",
        "data[tls.key]: Required value",
    ]


def test_a_secrets_key_is_a_file_name() -> None:
    assert wrong("secrets", data={"a b": ""})[0].startswith('data[a b]: Invalid value: "a b": a valid config key')


def test_what_says_it_is_immutable_is() -> None:
    before = {"immutable": True, "data": {"a": "1"}}
    assert [str(cause) for cause in check_update("configmaps", {"immutable": True, "data": {"a": "2"}}, before)] == [
        "data: Forbidden: field is immutable when `immutable` is set"
    ]
    assert [cause.field for cause in check_update("configmaps", {"data": {"a": "1"}}, before)] == ["immutable"]
    assert [cause.field for cause in check_update("secrets", {"type": "b"}, {"type": "a"})] == ["type"]


def test_a_selector_cannot_change() -> None:
    before = {"spec": {"selector": {"matchLabels": {"app": "web"}}}}
    after = {"spec": {"selector": {"matchLabels": {"app": "new"}}}}
    assert [str(cause) for cause in check_update("deployments.apps", after, before)] == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"new"}}: field is immutable'
    ]
