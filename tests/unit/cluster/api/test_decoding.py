from typing import Any

import pytest

from remora.cluster.api.decoding import Decoded, decode, strict_error
from remora.cluster.api.errors import ApiError
from remora.cluster.api.parsing import parse_json, parse_yaml


def decoded(value: Any, *, api_version: str = "v1", kind: str = "ConfigMap") -> Decoded:
    return decode(value, api_version=api_version, kind=kind)


def refusal(value: Any, *, api_version: str = "v1", kind: str = "ConfigMap") -> str:
    with pytest.raises(ApiError) as caught:
        decode(value, api_version=api_version, kind=kind)
    assert (caught.value.status, caught.value.reason) == (400, "BadRequest")
    return caught.value.message


def deployment(**container: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def test_kind_and_version_are_filled_in() -> None:
    assert decoded({"data": {"a": "b"}}).object == {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}


def test_unknown_fields_are_left_out_and_named_with_their_path() -> None:
    result = decoded({**deployment(name="c", imag="x"), "extra": 1}, api_version="apps/v1", kind="Deployment")
    assert result.problems == ('unknown field "spec.template.spec.containers[0].imag"', 'unknown field "extra"')
    assert result.object["spec"] == deployment(name="c")["spec"]
    assert "extra" not in result.object


def test_strict_decoding_refuses_in_kubernetes_words() -> None:
    error = strict_error(['unknown field "dat"'], api_version="v1", kind="ConfigMap")
    expected = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dat"'
    assert error.message == expected


def test_fields_said_twice_are_named_and_the_last_one_counts() -> None:
    value = parse_json(b'{"data": {"a": "1"}, "metadata": {"name": "x", "name": "y"}, "data": {"b": "2"}}', "ConfigMap")
    result = decoded(value)
    assert result.problems == ('duplicate field "data"', 'duplicate field "metadata.name"')
    assert (result.object["data"], result.object["metadata"]["name"]) == ({"b": "2"}, "y")


def test_null_means_absent_in_types_and_empty_in_maps_of_text() -> None:
    result = decoded({"metadata": {"name": "x", "creationTimestamp": None}, "data": {"a": None}})
    assert (result.object["metadata"], result.object["data"]) == ({"name": "x"}, {"a": ""})


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({"data": {"k": 1}}, "ConfigMap", "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        (
            {"data": []},
            "ConfigMap",
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            {"spec": {"ports": [{"port": "80"}]}},
            "Service",
            "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        (
            {"spec": {"ports": [{"port": 1.5}]}},
            "Service",
            "json: cannot unmarshal number 1.5 into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        (
            {"spec": {"containers": {}}},
            "Pod",
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        ({"spec": "x"}, "Pod", "json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"),
        ({"data": {"a": "***"}}, "Secret", "illegal base64 data at input byte 0"),
        (3, "Pod", "json: cannot unmarshal number into Go value of type v1.Pod"),
    ],
)
def test_wrong_types_are_refused_as_go_refuses_them(value: Any, kind: str, message: str) -> None:
    assert refusal(value, kind=kind) == f'{kind} in version "v1" cannot be handled as a {kind}: {message}'


def test_true_is_no_number_and_a_large_number_no_int32() -> None:
    for number in (True, 2**31):
        assert "of type int32" in refusal({"spec": {"replicas": number}}, api_version="apps/v1", kind="Deployment")


def test_quantities_may_be_numbers_and_are_kept_as_text() -> None:
    result = decoded(deployment(resources={"limits": {"cpu": 1, "memory": "64Mi"}}), api_version="apps/v1", kind="Deployment")
    (container,) = result.object["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "64Mi"}
    assert "quantities must match" in refusal(
        deployment(resources={"limits": {"cpu": "much"}}), api_version="apps/v1", kind="Deployment"
    )


def test_a_target_port_may_be_a_number_or_a_name() -> None:
    for port in (8080, "http"):
        spec = {"ports": [{"port": 80, "targetPort": port}]}
        assert decoded({"spec": spec}, kind="Service").object["spec"] == spec


@pytest.mark.parametrize(
    ("api_version", "kind", "message"),
    [
        (
            "v1",
            "Secret",
            'Secret in version "v1" cannot be handled as a ConfigMap: '
            "converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            "v2",
            "ConfigMap",
            'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" '
            'in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"',
        ),
    ],
)
def test_another_kind_is_refused(api_version: str, kind: str, message: str) -> None:
    assert refusal({"apiVersion": api_version, "kind": kind}) == message


def test_another_version_of_the_kind_is_refused() -> None:
    value = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
    assert refusal(value, api_version="extensions/v1beta1", kind="Ingress") == (
        "the API version in the data (networking.k8s.io/v1) does not match the expected API version (extensions/v1beta1)"
    )


def test_of_a_version_that_kubernetes_gave_up_only_the_metadata_is_known() -> None:
    value = {"metadata": {"name": "i", "nam": "j"}, "spec": {"backend": {"serviceName": "s"}}}
    result = decoded(value, api_version="extensions/v1beta1", kind="Ingress")
    assert result.problems == ('unknown field "metadata.nam"',)
    assert result.object["spec"] == value["spec"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "unexpected end of JSON input (<empty>)"),
        (b'{"a": ', 'unexpected end of JSON input ({"a": )'),
        (b"{not json", "invalid character 'n' looking for beginning of object key string ({not json)"),
        (b"x", "invalid character 'x' looking for beginning of value (x)"),
        (b"{} x", "invalid character 'x' after top-level value ({} x)"),
        (b'{"a" 1}', "invalid character '1' after object key ({\"a\" 1})"),
    ],
)
def test_what_is_no_json_is_refused_as_go_refuses_it(body: bytes, why: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_json(body, "ConfigMap")
    start = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
    assert caught.value.message == start + why


def test_yaml_times_stay_text_and_json_is_yaml() -> None:
    body = b"metadata: {creationTimestamp: 2026-01-01T00:00:00Z}\ndata: {a: '1'}\n"
    assert parse_yaml(body, "ConfigMap")["metadata"] == {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert parse_yaml(b' {"a": [1]}', "ConfigMap") == {"a": [1]}
    with pytest.raises(ApiError, match="error converting YAML to JSON"):
        parse_yaml(b"a: [", "ConfigMap")
