"""Manifests as people type them: what is read, what is refused and with which words, and what differs."""

import pytest

from remora.dashboard.manifests import (
    MOST_BYTES,
    Document,
    Fault,
    ManifestRefused,
    changed_fields,
    conflict_faults,
    is_defined_later,
    parse_manifest,
)

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def titles(text: str) -> list[str]:
    return [document.title for document in parse_manifest(text)]


def refusal(text: str) -> str:
    with pytest.raises(ManifestRefused) as refused:
        parse_manifest(text)
    return str(refused.value)


def test_documents_of_a_stream_come_in_their_order() -> None:
    assert titles(f"{MAP}---\n---\n# nothing\n---\n{MAP.replace('name: a', 'name: b, namespace: other')}") == [
        "ConfigMap default/a",
        "ConfigMap other/b",
    ]


def test_json_is_read_too() -> None:
    assert titles('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}') == ["Pod default/p"]


def test_a_list_is_opened() -> None:
    items = '[{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}]'
    assert titles(f'{{"apiVersion": "v1", "kind": "List", "items": {items}}}') == ["Pod default/p"]


def test_dates_stay_text_and_numbers_become_keys_as_in_json() -> None:
    (found,) = parse_manifest(f"{MAP}data: {{day: 2024-01-02, 1: one, false: yes}}")
    assert found.body["data"] == {"day": "2024-01-02", "1": "one", "false": True}


def test_an_alias_stands_for_what_it_names() -> None:
    (found,) = parse_manifest(f"{MAP}data: &d {{x: y}}\nother: {{<<: *d, z: w}}")
    assert found.body["other"] == {"x": "y", "z": "w"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "There is no object in the manifest."),
        ("just text", "Line 1: a manifest is an object with apiVersion, kind and metadata."),
        ("kind: Pod\nmetadata: {name: p}", "Line 1: the object has no apiVersion."),
        ("apiVersion: v1\nmetadata: {name: p}", "Line 1: the object has no kind."),
        (f"{MAP}---\napiVersion: v1\nkind: Pod", "Line 5: the object has no metadata.name."),
        (f"{MAP}kind: Secret", "Line 4: the key kind stands twice in one mapping."),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: ../secrets/x}", "Line 1: metadata.name is not of the form of a name."),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: 'a?b'}", "Line 1: metadata.namespace is not of the form"),
        ("apiVersion: a/b/c\nkind: Pod\nmetadata: {name: x}", "Line 1: apiVersion is not of the form of a name."),
        ("a: [1, 2", "not YAML: did not find expected ',' or ']'."),
        ("a: *nowhere", "Line 1, column 4: not YAML: found undefined alias."),
        (f"{MAP}data: &a [*a]", "Line 4: the alias *a stands inside itself."),
        ("[" * 100, "Line 1: nested more than 60 levels deep."),
        (f"{MAP}data: {{x: .nan}}", "A value of the type float has no place in a manifest."),
        (f"{MAP}data: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        (f"{MAP}data: \0", "Not YAML"),
        ("x" * (MOST_BYTES + 1), "The manifest has more than 1024 KiB."),
    ],
)
def test_what_is_no_manifest_is_told_in_words(text: str, words: str) -> None:
    assert words in refusal(text) or words.lower() in refusal(text).lower()


def test_a_text_that_grows_by_aliases_is_not_opened() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert "its aliases opened" in refusal(bomb)


def test_so_does_one_that_grows_by_merged_mappings() -> None:
    bomb = "a0: &a0 {x: 1, y: 2}\n"
    bomb += "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
    assert "its aliases opened" in refusal(bomb)


def test_what_differs_is_named_by_its_field_and_never_by_its_value() -> None:
    before = {"metadata": {"uid": "1", "labels": {"a": "1"}}, "data": {"k": "old"}, "list": [{"x": 1}], "status": {"a": 1}}
    after = {"metadata": {"uid": "2", "labels": {"a": "2"}}, "data": {"k": "new"}, "list": [{"x": 2}], "status": {}}
    assert changed_fields(before, after) == ("data.k", "list[0].x", "metadata.labels.a")
    assert changed_fields(before, before) == ()
    assert changed_fields({}, {str(n): n for n in range(20)}, most=2) == ("0", "1", "…")


def test_a_conflict_names_who_owns_the_field() -> None:
    causes = ((".spec.replicas", 'conflict with "kubectl" using apps/v1'), (".x", "something else"))
    assert conflict_faults(causes) == (
        Fault(".spec.replicas", 'conflict with "kubectl" using apps/v1', "kubectl"),
        Fault(".x", "something else", ""),
    )


def test_what_needs_a_namespace_or_a_definition_of_the_same_manifest_waits_for_it() -> None:
    spec = {"group": "example.com", "names": {"kind": "Thing"}}
    space = Document({}, "v1", "Namespace", "default", "n", 1)
    definition = Document({"spec": spec}, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "things.example.com", 1)
    assert is_defined_later(Document({}, "v1", "Pod", "n", "p", 1), (space, definition)) == space.title
    assert is_defined_later(Document({}, "example.com/v1", "Thing", "", "t", 1), (space, definition)) == definition.title
    assert is_defined_later(Document({}, "v1", "Pod", "other", "p", 1), (space, definition)) == ""
