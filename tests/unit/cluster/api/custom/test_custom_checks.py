"""Values held against schemas: what is refused, and in which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.custom.checks import MISSING, check_value
from remora.cluster.api.custom.formats import has_format
from remora.cluster.api.custom.rules import check_rules
from remora.cluster.api.custom.schema import parse_schema
from remora.cluster.api.custom.shaping import defaulted, pruned
from tests.unit.cluster.api.custom.builders import Object, with_spec


def faults(field: Object, value: Any) -> list[str]:
    return [str(cause) for cause in check_value(parse_schema(with_spec(x=field)), {"spec": {"x": value}})]


def rule_faults(field: Object, value: Any, before: Any = MISSING) -> list[str]:
    old = MISSING if before is MISSING else {"spec": {"x": before}}
    return [str(cause) for cause in check_rules(parse_schema(with_spec(x=field)), {"spec": {"x": value}}, "", old)]


NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}}
BY_NAME = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": NAMED}


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ({"type": "integer"}, "a", 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'),
        ({"type": "integer"}, 1.5, 'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"'),
        ({"type": "string"}, None, 'spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'),
        ({"type": "boolean"}, 1, 'spec.x: Invalid value: "integer": spec.x in body must be of type boolean: "integer"'),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'spec.x: Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "integer", "minimum": 1}, 0, "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"),
        ({"type": "integer", "maximum": 5}, 6, "spec.x: Invalid value: 6: spec.x in body should be less than or equal to 5"),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            1,
            "spec.x: Invalid value: 1: spec.x in body should be greater than 1",
        ),
        ({"type": "integer", "multipleOf": 5}, 6, "spec.x: Invalid value: 6: spec.x in body should be a multiple of 5"),
        ({"type": "string", "pattern": "^a$"}, "b", "spec.x: Invalid value: \"b\": spec.x in body should match '^a$'"),
        ({"type": "string", "maxLength": 1}, "ab", "spec.x: Too long: may not be more than 1 bytes"),
        ({"type": "string", "minLength": 1}, "", 'spec.x: Invalid value: "": spec.x in body should be at least 1 chars long'),
        (
            {"type": "string", "format": "date-time"},
            "now",
            'spec.x: Invalid value: "now": spec.x in body must be of type date-time: "now"',
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            "spec.x: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            [],
            "spec.x: Invalid value: 0: spec.x in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            'spec.x[1]: Duplicate value: "a"',
        ),
        (BY_NAME, [{"name": "a"}, {"name": "a", "size": 1}], 'spec.x[1]: Duplicate value: {"name":"a"}'),
        (BY_NAME, [{"size": 1}], "spec.x[0].name: Required value"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"k": 1},
            'spec.x.k: Invalid value: "integer": spec.x.k in body must be of type string: "integer"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            'spec.x: Invalid value: "array": spec.x in body must be of type integer,string: "array"',
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"apiVersion": "v1"},
            "spec.x.kind: Required value: must not be empty",
        ),
        (
            {"type": "integer", "not": {"enum": [3]}},
            3,
            'spec.x: Invalid value: "": "spec.x" must not validate the schema (not)',
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_kubernetes(field: Object, value: Any, wanted: str) -> None:
    assert faults(field, value) == [wanted]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "integer"}, 2.0),
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True}, 80),
        ({"x-kubernetes-int-or-string": True}, "80%"),
        ({"type": "string", "pattern": "^(?:a|b)+$"}, "ab"),
        ({"type": "string", "format": "nobody-knows"}, "anything"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": {"b": 1}}),
        (
            {"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": {"type": "string"}}},
            {"a": ""},
        ),
    ],
)
def test_what_fits_is_taken(field: Object, value: Any) -> None:
    assert faults(field, value) == []


def test_alternatives_say_how_many_fit_and_what_the_first_lacks() -> None:
    parts = {"a": {"type": "string"}, "b": {"type": "string"}}
    field = {"type": "object", "properties": parts, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    none, both = faults(field, {}), faults(field, {"a": "", "b": ""})
    assert none == [
        'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
        "spec.x.a: Required value",
    ]
    assert both == [
        'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]


def test_what_was_wrong_before_may_stay() -> None:
    node = parse_schema(with_spec(x={"type": "integer", "maximum": 1}, y={"type": "string"}))
    before = {"spec": {"x": 5, "y": "a"}}
    assert list(check_value(node, {"spec": {"x": 5, "y": "b"}}, "", before)) == []
    assert len(list(check_value(node, {"spec": {"x": 6, "y": "b"}}, "", before))) == 1


@pytest.mark.parametrize(
    ("name", "fitting", "not_fitting"),
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-01-01T00:00:00.5+01:00", "2026-01-01"),
        ("duration", "1h2m", "1 hour"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::", "1.2.3.4"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("byte", "YQ==", "a"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("hostname", "a.example.com", "a b"),
        ("uri", "https://a/b", "a b"),
        ("email", "a@b.c", "a"),
        ("mac", "00:11:22:33:44:55", "00:11"),
    ],
)
def test_formats_are_told_apart(name: str, fitting: str, not_fitting: str) -> None:
    assert has_format(fitting, name)
    assert not has_format(not_fitting, name)


def test_a_rule_refuses_with_its_message_path_and_reason() -> None:
    field = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "x-kubernetes-validations": [
            {"rule": "self.a > 1", "message": "too little", "fieldPath": ".a", "reason": "FieldValueForbidden"},
            {"rule": "self.a > 2", "messageExpression": "'is ' + string(self.a)"},
            {"rule": "self.a > 3", "messageExpression": "self.nothing"},
        ],
    }
    assert rule_faults(field, {"a": 1}) == [
        "spec.x.a: Forbidden: too little",
        "spec.x: Invalid value: is 1",
        "spec.x: Invalid value: failed rule: self.a > 3",
    ]


def test_a_rule_that_fails_refuses_and_one_that_cannot_be_read_does_not() -> None:
    rules = [{"rule": "self.b == 1"}, {"rule": "launch(self)"}]
    field = {"type": "object", "properties": {"a": {"type": "integer"}}, "x-kubernetes-validations": rules}
    assert rule_faults(field, {}) == ["spec.x: Invalid value: no such key: b evaluating rule: failed rule: self.b == 1"]


def test_rules_about_changes_are_asked_only_of_changes() -> None:
    field = {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "is immutable"}]}
    assert rule_faults(field, "b") == []
    assert rule_faults(field, "a", "a") == []
    assert rule_faults(field, "b", "a") == ['spec.x: Invalid value: "b": is immutable']


def test_elements_are_compared_with_those_of_the_same_keys() -> None:
    rule = {"rule": "self.size >= oldSelf.size", "message": "must not shrink"}
    field = {**BY_NAME, "items": {**NAMED, "x-kubernetes-validations": [rule]}}
    before = [{"name": "a", "size": 1}, {"name": "b", "size": 9}]
    assert rule_faults(field, [{"name": "b", "size": 8}, {"name": "c", "size": 0}], before) == [
        "spec.x[0]: Invalid value: must not shrink"
    ]


def test_an_optional_old_value_lets_a_rule_see_creation() -> None:
    rule = {"rule": "oldSelf.hasValue() || self == 'first'", "optionalOldSelf": True}
    field = {"type": "string", "x-kubernetes-validations": [rule]}
    assert len(rule_faults(field, "second")) == 1
    assert rule_faults(field, "second", "first") == []


def test_times_durations_and_numbers_have_their_types_in_rules() -> None:
    rules = [{"rule": "self.d < duration('1h')"}, {"rule": "self.t.getFullYear() > 2000"}, {"rule": "self.n / 2.0 == 0.5"}]
    parts = {
        "d": {"type": "string", "format": "duration"},
        "t": {"type": "string", "format": "date-time"},
        "n": {"type": "number"},
    }
    field = {"type": "object", "properties": parts, "x-kubernetes-validations": rules}
    assert rule_faults(field, {"d": "5m", "t": "2026-01-01T00:00:00Z", "n": 1}) == []


FIELDS = {
    "a": {"type": "integer", "default": 3},
    "b": {"type": "object", "default": {}, "properties": {"c": {"type": "string", "default": "d"}}},
    "l": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}},
    "o": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"k": {"type": "object"}}},
    "z": {"type": "string", "nullable": True},
}
NODE = parse_schema(with_spec(**FIELDS))


def test_defaults_are_filled_in_at_every_depth_and_null_counts_as_absent() -> None:
    given: Object = {"spec": {"a": None, "l": [{}, {"n": 5}], "z": None, "o": {}}}
    assert defaulted(given, NODE) == {"spec": {"a": 3, "b": {"c": "d"}, "l": [{"n": 1}, {"n": 5}], "z": None, "o": {}}}
    assert given["spec"]["a"] is None


def test_unknown_fields_go_but_not_where_they_may_stay() -> None:
    noted: list[str] = []
    given = {
        "apiVersion": "v1",
        "metadata": {"name": "a"},
        "more": 1,
        "spec": {"q": 1, "o": {"x": 1, "k": {"y": 1}}, "l": [{"m": 1}]},
    }
    kept = pruned(given, NODE, "", noted.append, is_object=True)
    assert kept == {"apiVersion": "v1", "metadata": {"name": "a"}, "spec": {"o": {"x": 1, "k": {}}, "l": [{}]}}
    assert noted == ["more", "spec.q", "spec.o.k.y", "spec.l[0].m"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abclnokzq"), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_shaping_again_changes_nothing(value: Any) -> None:
    def shaped(given: Any) -> Any:
        return defaulted(pruned(given, NODE, "", lambda path: None), NODE)

    once = shaped({"spec": value})
    assert shaped(once) == once


@given(JSON)
def test_checks_of_anything_end_in_causes(value: Any) -> None:
    for cause in check_value(NODE, {"spec": value}):
        assert cause.field.startswith("spec")
