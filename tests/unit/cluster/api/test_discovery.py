"""The discovery documents, by what clients rely on in them."""

from remora.cluster.api import discovery, openapi
from remora.cluster.api.resources import RESOURCES


def test_ingress_of_today_comes_before_that_of_old() -> None:
    groups = discovery.groups(RESOURCES)
    assert groups.index("networking.k8s.io") < groups.index("extensions")
    old = discovery.find_resource_list(RESOURCES, "extensions", "v1beta1")
    assert old is not None
    assert "shortNames" not in old["resources"][0]


def test_hash_of_the_stored_version_is_that_of_kubernetes() -> None:
    core = discovery.find_resource_list(RESOURCES, "", "v1")
    assert core is not None
    hashes = {entry["name"]: entry.get("storageVersionHash") for entry in core["resources"]}
    assert hashes["configmaps"] == "qFsyl6wFWjQ="


def test_both_forms_tell_of_the_same_resources() -> None:
    items = [*discovery.aggregated(RESOURCES, core=True)["items"], *discovery.aggregated(RESOURCES, core=False)["items"]]
    for item in items:
        group = item["metadata"].get("name", "")
        for version in item["versions"]:
            listed = discovery.find_resource_list(RESOURCES, group, version["version"])
            assert listed is not None
            names = [entry["name"] for entry in listed["resources"] if "/" not in entry["name"]]
            assert names == [entry["resource"] for entry in version["resources"]]


def test_every_subresource_has_its_verbs() -> None:
    for row in RESOURCES.rows:
        listed = discovery.find_resource_list(RESOURCES, row.group, row.version)
        assert listed is not None
        names = {entry["name"] for entry in listed["resources"] if entry["verbs"]}
        assert {f"{row.plural}/{name}" for name in row.subresources} <= names


def test_every_version_has_a_document_with_the_types_that_it_names() -> None:
    for path in openapi.index(RESOURCES)["paths"]:
        assert openapi.find_document(RESOURCES, path)
    assert openapi.find_document(RESOURCES, "apis/nowhere/v1") is None
