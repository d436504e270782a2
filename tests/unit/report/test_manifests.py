"""From the text of manifests to objects and lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.kube.objects import Ingress
from remora.report.manifests import Fault, Manifest, Place, parse_field, read_manifests

BETA = """\
# Source: chart/templates/web.yaml
apiVersion: extensions/v1beta1
kind: Ingress
metadata:
  name: web
  creationTimestamp: 2024-01-01T00:00:00Z
  annotations:
    nginx.ingress.kubernetes.io/affinity: cookie
spec:
  backend: {serviceName: rest, servicePort: 81}
  rules:
  - http:
      paths:
      - backend: {serviceName: web, servicePort: http}
"""
STREAM = """\
kind: Ingress
apiVersion: networking.k8s.io/v1
metadata: {name: one}
---
kind: Ingress
  broken: [
---
{{- if .Values.on }}
kind: Ingress
---
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: two, namespace: shop}
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: three}
  spec: {rules: [{host: 5}]}
---
kind: Deployment
"""


def read(text: str) -> list[Manifest | Fault]:
    return list(read_manifests(text, "f.yaml"))


def faults(text: str) -> list[tuple[int, str]]:
    return [(one.place.line, one.message) for one in read(text) if isinstance(one, Fault)]


def test_a_beta_ingress_becomes_what_the_api_server_keeps_of_it() -> None:
    (manifest,) = read(BETA)
    assert isinstance(manifest, Manifest)
    ingress = manifest.object
    assert isinstance(ingress, Ingress)
    assert (ingress.metadata.namespace, ingress.metadata.creation_timestamp) == ("default", "2024-01-01T00:00:00Z")
    assert ingress.spec.default_backend
    assert ingress.spec.default_backend.service
    assert str(ingress.spec.default_backend.service.port) == "81"
    (rule,) = ingress.spec.rules
    assert rule.http
    assert rule.http.paths[0].backend.service
    assert rule.http.paths[0].backend.service.port.name == "http"


def test_every_field_knows_its_line_and_what_is_not_written_that_of_its_surroundings() -> None:
    (manifest,) = read(BETA)
    assert isinstance(manifest, Manifest)
    assert manifest.place == Place("f.yaml", 2, "chart/templates/web.yaml")
    fields = {
        "metadata.annotations[nginx.ingress.kubernetes.io/affinity]": 8,
        "spec.rules[0].http.paths[0].backend.service": 14,
        "spec.defaultBackend.service": 9,
        "spec.tls[3]": 9,
    }
    assert {field: manifest.place_of(field).line for field in fields} == fields


def test_a_broken_document_costs_only_itself() -> None:
    read_names = [str(one.object.key) for one in read(STREAM) if isinstance(one, Manifest)]
    assert read_names == ["default/one", "shop/two"]
    assert faults(STREAM) == [
        (6, "not YAML: mapping values are not allowed here"),
        (7, "this is a template; render it first (helm template CHART | remora check -)"),
        (20, "Ingress default/three: spec.rules[0].host: Expected `str`, got `int`"),
    ]


HEAD = "kind: Ingress\napiVersion: networking.k8s.io/v1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "metadata: {name: a, annotations: {x/y: true}}", 'annotation x/y is no text; write "true" in quotes'),
        (HEAD + "metadata: {name: a, annotations: {x: a, x: b}}", "the key x stands twice"),
        (HEAD + "metadata: &m {name: a, labels: *m}", ""),
        (HEAD + "metadata: [1]", "Expected `object`, got `array`"),
        ("- kind: Ingress", "a manifest is an object"),
        ("kind: Ingress\nx: " + "[" * 5000, "nested too deeply"),
        ("kind: Ingress\napiVersion: example.com/v1\n", "apiVersion 'example.com/v1'"),
        ("kind: Ingress\nx: \0", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_a_fault_with_words(text: str, message: str) -> None:
    (_, said), *_ = faults(text)
    assert message in said


def test_json_is_read_with_its_tabs_and_its_escapes() -> None:
    (one,) = read('{\n\t"kind": "Ingress",\n\t"apiVersion": "networking.k8s.io/v1", "metadata": {"name": "\\ud83d\\ude00"}}')
    assert isinstance(one, Manifest)
    assert one.object.metadata.name == "\N{GRINNING FACE}"


def test_other_groups_may_have_kinds_of_our_names() -> None:
    assert read("kind: Service\napiVersion: serving.knative.dev/v1\nmetadata: {name: a}") == []


def test_fields_are_read_as_problems_write_them() -> None:
    assert parse_field("spec.rules[0].http") == ("spec", "rules", 0, "http")
    assert parse_field("metadata.annotations[a.b/c-d]") == ("metadata", "annotations", "a.b/c-d")


pieces = st.sampled_from(
    [
        "kind: Ingress\n",
        "apiVersion: networking.k8s.io/v1\n",
        "metadata:\n",
        "  name: a\n",
        "---\n",
        "{",
        "[",
        "&a ",
        "*a",
        "\t",
        "- ",
    ]
)


@given(st.lists(pieces | st.text(max_size=6), max_size=12))
def test_any_text_is_survived(parts: list[str]) -> None:
    read("kind: Ingress\n" + "".join(parts))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x: 1\n---\na: b: c", 3, "not YAML: mapping values are not allowed"),
        ("{{bad yaml", 1, "this is a template"),
        ("a: [1", 1, "not YAML: "),
        ('{"a":', 1, "not YAML: "),
        ("a: " + "[" * 3000 + "]" * 3000, 1, "nested too deeply"),
        ("words", 1, "a manifest is an object"),
    ],
)
def test_a_named_file_is_told_to_be_broken_whatever_it_was_meant_to_be(text: str, line: int, message: str) -> None:
    (fault,) = read_manifests(text, "f.yaml", is_named=True)
    assert isinstance(fault, Fault)
    assert line <= fault.place.line <= line + 1
    assert message in fault.message


def test_a_named_file_may_hold_what_is_no_manifest() -> None:
    for text in ("controller: {kind: DaemonSet}", "# nothing yet\n", "", "kind: Deployment\n--- \n", "null"):
        assert list(read_manifests(text, "values.yaml", is_named=True)) == []


def test_a_file_that_was_found_may_be_a_template_or_the_json_of_another_program_but_no_broken_yaml() -> None:
    others = ("{{- if .Values.on }}\nx: 1", "{% if on %}\nx: 1", '{"a": 1, // why\n}', "- name: a list of tasks")
    assert [faults(text) for text in others] == [[]] * 4
    assert [line for line, _ in faults("x: 1\n---\na: b: c")] == [3]


def test_a_kind_in_the_wrong_case_is_told_with_the_right_one() -> None:
    ((line, message),) = faults("apiVersion: networking.k8s.io/v1\nkind: ingress\nmetadata: {name: a}")
    assert (line, message) == (1, "kind is 'ingress', which the API server does not know; did you mean Ingress?")
    assert faults("apiVersion: example.com/v1\nkind: ingress\nmetadata: {name: a}") == []
