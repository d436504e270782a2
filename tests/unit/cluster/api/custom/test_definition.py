"""Definitions: which are refused, what their names become, and the rows that they make."""

from typing import Any

import pytest

from remora.cluster.api.conversion import from_stored
from remora.cluster.api.custom.definition import (
    check_definition,
    check_definition_update,
    default_definition,
    definition_warnings,
)
from remora.cluster.api.custom.documents import describe, without_v3
from remora.cluster.api.custom.jsonpath import find_all, with_value
from remora.cluster.api.custom.naming import decide_status
from remora.cluster.api.custom.rows import rows_of, version_rank
from tests.unit.cluster.api.custom.builders import SCHEMA, Object, definition, with_spec

NOW = "2026-01-01T00:00:00Z"


def faults(given: Object) -> list[str]:
    default_definition(given)
    return [str(cause) for cause in check_definition(given)]


def established(given: Object, *others: Object) -> Object:
    default_definition(given)
    return {**given, "status": decide_status(given, others, now=NOW)}


def conditions(given: Object) -> dict[str, tuple[str, str]]:
    return {found["type"]: (found["status"], found["reason"]) for found in given["status"]["conditions"]}


def test_names_follow_from_the_kind() -> None:
    made = definition()
    assert faults(made) == []
    assert made["spec"]["names"] == {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    assert made["status"]["storedVersions"] == ["v1"]


PATH = "spec.validation.openAPIV3Schema"


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"properties": {}}, f"{PATH}.type: Required value: must not be empty at the root"),
        ({"type": "string"}, f'{PATH}.type: Invalid value: "string": must be object at the root'),
        (
            with_spec(x={}),
            f"{PATH}.properties[spec].properties[x].type: Required value: must not be empty for specified object fields",
        ),
        (with_spec(x={"type": "array"}), f"{PATH}.properties[spec].properties[x].items: Required value: must be specified"),
        (
            with_spec(x={"type": "array", "items": {}}),
            f"{PATH}.properties[spec].properties[x].items.type: Required value: must not be empty for specified array items",
        ),
        (
            with_spec(x={"type": "thing"}),
            f'{PATH}.properties[spec].properties[x].type: Unsupported value: "thing": supported values: '
            '"array", "boolean", "integer", "number", "object", "string"',
        ),
        (
            with_spec(x={"type": "string", "$ref": "#/a"}),
            f"{PATH}.properties[spec].properties[x].$ref: Forbidden: $ref is not supported",
        ),
        (
            with_spec(x={"type": "integer", "default": "a"}),
            f'{PATH}.properties[spec].properties[x].default: Invalid value: "string": '
            f'{PATH}.properties[spec].properties[x].default in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "oneOf": [{"properties": {"a": {"type": "string"}}}], "properties": {"a": {"type": "string"}}},
            f"{PATH}.oneOf[0].properties[a].type: Forbidden: must be empty to be structural",
        ),
        (
            with_spec(
                x={"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}
            ),
            f"{PATH}.properties[spec].properties[x].additionalProperties: Forbidden: "
            "additionalProperties and properties are mutual exclusive",
        ),
        (
            with_spec(x={"type": "string", "x-kubernetes-validations": [{"rule": "self."}]}),
            f'{PATH}.properties[spec].properties[x].x-kubernetes-validations[0].rule: Invalid value: "self.": '
            "compilation failed: "
            "ERROR: <input>:1:1: Syntax error: 5: mismatched input '<EOF>' expecting IDENTIFIER",
        ),
        (
            {**SCHEMA, "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}},
            f"{PATH}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata "
            "is implicitly specified",
        ),
    ],
)
def test_a_schema_that_is_not_structural_is_refused(schema: Object, wanted: str) -> None:
    assert faults(definition(schema)) == [wanted]


def changed(**spec: Any) -> Object:
    made = definition()
    return {**made, "spec": {**made["spec"], **spec}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {**definition(), "metadata": {"name": "other"}},
            'metadata.name: Invalid value: "other": must be spec.names.plural+"."+spec.group',
        ),
        (changed(scope="Both"), 'spec.scope: Unsupported value: "Both": supported values: "Cluster", "Namespaced"'),
        (
            definition(storage=False),
            'spec.versions: Invalid value: [{"name":"v1","served":true,"storage":false}]: '
            "must have exactly one version marked as storage version",
        ),
        (
            definition(schema={}, name="v1") | {},
            "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
        ),
        (
            changed(preserveUnknownFields=True),
            "spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in the schema",
        ),
        (
            definition(additionalPrinterColumns=[{"name": "a", "type": "text", "jsonPath": ".a"}]),
            'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
            "boolean,date,integer,number,string",
        ),
        (
            definition(subresources={"scale": {"specReplicasPath": ".size", "statusReplicasPath": ".status.size"}}),
            'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".size": should be a json path under .spec',
        ),
    ],
)
def test_what_is_wrong_with_a_definition_is_said(given: Object, wanted: str) -> None:
    if "schemas are required" in wanted:
        given["spec"]["versions"][0]["schema"] = None
    assert faults(given) == [wanted]


def test_groups_of_kubernetes_need_an_approval() -> None:
    made = changed(group="widgets.k8s.io")
    made["metadata"] = {"name": "widgets.widgets.k8s.io"}
    assert faults(made)[0].startswith("metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups")
    made["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.com"}
    assert faults(made) == []


def test_group_scope_and_kind_stay_as_they_are() -> None:
    causes = list(check_definition_update(changed(scope="Cluster"), definition()))
    assert [str(cause) for cause in causes] == ['spec.scope: Invalid value: "Cluster": field is immutable']


def test_a_definition_without_rivals_gets_its_names() -> None:
    made = established(definition())
    assert conditions(made) == {"NamesAccepted": ("True", "NoConflicts"), "Established": ("True", "InitialNamesAccepted")}
    assert made["status"]["acceptedNames"]["plural"] == "widgets"
    again = decide_status(made, (), now="2027-01-01T00:00:00Z")
    assert again == made["status"]


def test_a_name_that_is_taken_keeps_a_definition_from_being_served() -> None:
    first, second = established(definition()), definition(plural="gadgets")
    second["spec"]["names"]["kind"] = "Widget"
    refused = established(second, first)
    assert conditions(refused) == {"NamesAccepted": ("False", "ListKindConflict"), "Established": ("False", "NotAccepted")}
    assert rows_of([refused], {}) == ()
    assert conditions(established(second))["Established"][0] == "True"


def test_versions_become_rows_in_the_order_of_their_maturity() -> None:
    made = definition(subresources={"status": {}}, selectableFields=[{"jsonPath": ".spec.color"}])
    versions = made["spec"]["versions"]
    versions += [{**versions[0], "name": name, "storage": False} for name in ("v2beta1", "v2", "v1alpha1")]
    rows = rows_of([established(made)], {})
    assert [row.version for row in rows] == ["v2", "v1", "v2beta1", "v1alpha1"]
    assert [row.is_stored for row in rows] == [False, True, False, False]
    assert {row.storage for row in rows} == {"widgets.example.com"}
    assert rows[0].has_status
    assert sorted(["foo1", "v1", "v11", "v10beta2", "v2"], key=version_rank) == ["v11", "v2", "v1", "v10beta2", "foo1"]


def test_what_has_not_changed_is_not_read_again() -> None:
    made = established(definition())
    rows = rows_of([made], {})
    known = {(row.group, row.version, row.plural): row for row in rows}
    assert rows_of([made], known) == rows
    changed_schema = established(definition(with_spec(x={"type": "string"})))
    assert rows_of([changed_schema], known) != rows


def test_an_object_is_read_with_the_schema_of_today() -> None:
    (row,) = rows_of([established(definition(with_spec(size={"type": "integer", "default": 1})))], {})
    kept = {"apiVersion": "example.com/v0", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"gone": True}}
    assert from_stored(row, kept) == {**kept, "apiVersion": "example.com/v1", "spec": {"size": 1}}


def test_documents_describe_the_kind_and_its_list_in_both_versions() -> None:
    (row,) = rows_of([established(definition(with_spec(x={"type": "string", "nullable": True, "description": "A text."})))], {})
    described = describe(row)
    assert set(described) == {"com.example.v1.Widget", "com.example.v1.WidgetList"}
    one = described["com.example.v1.Widget"]
    assert one["properties"]["spec"]["properties"]["x"] == {"type": "string", "nullable": True, "description": "A text."}
    old = without_v3(described, is_names=True)["com.example.v1.Widget"]
    assert old["properties"]["spec"]["properties"]["x"] == {"type": "string", "description": "A text."}
    assert old["properties"]["metadata"]["$ref"].endswith(".ObjectMeta")


def test_what_is_not_done_is_warned_about() -> None:
    rule = {"rule": "self.launch()"}
    made = definition(with_spec(x={"type": "string", "x-kubernetes-validations": [rule]}))
    made["spec"]["conversion"] = {"strategy": "Webhook"}
    assert list(definition_warnings(made)) == [
        "spec.conversion.strategy: Webhook is not called here; objects are converted as by None",
        "x-kubernetes-validations rule is not checked: "
        "spec.x: self.launch(): undeclared reference to 'launch' (in container '')",
    ]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".spec.a", [1]),
        (".spec['a']", [1]),
        (".spec.list[0].n", [1]),
        (".spec.list[-1].n", [2]),
        (".spec.list[*].n", [1, 2]),
        ('.spec.list[?(@.t=="y")].n', [2]),
        (r".metadata.labels.a\.b", ["c"]),
        (".spec.none.more", []),
        (".spec.list[9]", []),
        ("}", []),
    ],
)
def test_paths_find_what_stands_there(path: str, wanted: list[Any]) -> None:
    obj = {"metadata": {"labels": {"a.b": "c"}}, "spec": {"a": 1, "list": [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}]}}
    assert find_all(obj, path) == wanted


def test_a_value_is_put_where_a_path_says() -> None:
    assert with_value({"a": 1}, ".spec.size", 3) == {"a": 1, "spec": {"size": 3}}
