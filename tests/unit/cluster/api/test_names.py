"""Names, labels and finalizers, refused in Kubernetes' words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.names import (
    check_labels,
    check_metadata,
    wrong_with_label,
    wrong_with_label_1035,
    wrong_with_label_value,
    wrong_with_path_segment,
    wrong_with_qualified_name,
    wrong_with_subdomain,
)


def problems(metadata: dict[str, Any], name_rule: str = "subdomain") -> list[str]:
    return [str(cause) for cause in check_metadata(metadata, name_rule=name_rule)]


@pytest.mark.parametrize("name", ["a", "a-b", "a.b", "1", "a" * 63, ("a" * 60 + ".") * 4 + "b"])
def test_a_subdomain_is_a_name(name: str) -> None:
    assert wrong_with_subdomain(name) == []


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", ".a", "a..b", "a/b", "ä", "a" * 254, "a\n"])
def test_what_is_no_subdomain_is_no_name(name: str) -> None:
    assert wrong_with_subdomain(name) != []


def test_the_refusal_of_a_name_is_in_the_words_of_kubernetes() -> None:
    wanted = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
        "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
        r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    assert problems({"name": "A_b"}) == [f'metadata.name: Invalid value: "A_b": {wanted}']


def test_a_label_has_no_dots_and_a_service_begins_with_a_letter() -> None:
    assert wrong_with_label("a.b")
    assert wrong_with_label("1a") == []
    assert wrong_with_label_1035("1a")
    assert wrong_with_label_1035("a1") == []


def test_a_name_of_an_rbac_object_may_hold_colons_but_no_slash() -> None:
    assert wrong_with_path_segment("system:node") == []
    assert wrong_with_path_segment("a/b") == ["may not contain '/'"]
    assert wrong_with_path_segment("..") == ["may not be '..'"]


def test_a_name_is_required_but_a_prefix_gives_one() -> None:
    assert problems({}) == ["metadata.name: Required value: name or generateName is required"]
    assert problems({"generateName": "web-", "name": "web-x"}) == []
    assert "metadata.generateName" in problems({"generateName": "Web-", "name": "web-x"})[0]


@pytest.mark.parametrize("key", ["a", "a.b/c", "A_b.c", "example.com/A-b", "a" * 63])
def test_a_qualified_name_is_a_key(key: str) -> None:
    assert wrong_with_qualified_name(key) == []


@pytest.mark.parametrize("key", ["", "a/", "/a", "a/b/c", "bad key!", "A.b/c", "-a", "a" * 64])
def test_what_is_no_qualified_name_is_no_key(key: str) -> None:
    assert wrong_with_qualified_name(key) != []


def test_a_key_with_two_slashes_is_told_what_a_key_is() -> None:
    assert wrong_with_qualified_name("a/b/c")[0].startswith("a qualified name must consist of alphanumeric characters")


def test_label_values_may_be_empty_but_not_long() -> None:
    assert list(check_labels({"a": ""}, "metadata.labels")) == []
    assert wrong_with_label_value("a" * 64) == ["must be no more than 63 bytes"]
    assert str(next(check_labels({"a": "b c"}, "metadata.labels"))).startswith(
        'metadata.labels: Invalid value: "b c": a valid label'
    )


def test_an_annotation_key_may_have_capitals_in_its_domain() -> None:
    assert problems({"name": "a", "annotations": {"Example.com/a": "anything at all"}}) == []


def test_annotations_are_limited_together() -> None:
    assert problems({"name": "a", "annotations": {"a": "x" * 262_144}}) == [
        "metadata.annotations: Too long: may not be more than 262144 bytes"
    ]


def test_a_finalizer_of_nobodys_is_refused() -> None:
    assert problems({"name": "a", "finalizers": ["example.com/f", "foregroundDeletion"]}) == []
    assert problems({"name": "a", "finalizers": ["mine"]}) == [
        'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'
    ]


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True))
def test_every_label_is_a_subdomain_and_a_label_value(text: str) -> None:
    assert wrong_with_label(text) == wrong_with_subdomain(text) == wrong_with_label_value(text) == []
