from typing import Any

import pytest

from remora.cluster.api.admission.hooks import Change, find_match, may_concern, parse_hooks
from remora.cluster.api.resources import RESOURCES
from remora.cluster.cel import CelError

PODS = RESOURCES.stored("pods")
INGRESSES = [row for row in RESOURCES.rows if row.storage == "ingresses.networking.k8s.io"]
NAMESPACES = RESOURCES.stored("namespaces")


def hook(*, operations: str = "*", groups: str = "*", versions: str = "*", resources: str = "*", **more: Any) -> Any:
    scope = more.pop("scope", "*")
    rule = {
        "operations": operations.split(","),
        "apiGroups": groups.split(","),
        "apiVersions": versions.split(","),
        "resources": resources.split(","),
        "scope": scope,
    }
    given = {"name": "a.example.com", "clientConfig": {"url": "https://x"}, "rules": [rule], **more}
    return parse_hooks([{"metadata": {"name": "c"}, "webhooks": [given]}])[0]


def change(row: Any = PODS, **more: Any) -> Change:
    return Change(**{"operation": "CREATE", "row": row, "namespace": "default", "name": "x", **more})


@pytest.mark.parametrize(
    ("given", "subresource", "expected"),
    [
        ("pods", "", True),
        ("pods", "log", False),
        ("pods/log", "log", True),
        ("pods/*", "log", True),
        ("pods/*", "", True),
        ("*", "", True),
        ("*", "log", False),
        ("*/log", "log", True),
        ("*/*", "log", True),
        ("*/*", "", True),
        ("services", "", False),
    ],
)
def test_resources_and_their_parts_are_named_apart(given: str, subresource: str, expected: bool) -> None:
    found = find_match(hook(resources=given), change(subresource=subresource), [PODS], None)
    assert (found is not None) is expected


def test_operation_group_and_version_have_to_fit() -> None:
    assert find_match(hook(operations="CREATE,UPDATE", groups="", versions="v1"), change(), [PODS], None)
    assert not find_match(hook(operations="DELETE"), change(), [PODS], None)
    assert not find_match(hook(groups="apps"), change(), [PODS], None)
    assert not find_match(hook(versions="v2"), change(), [PODS], None)


@pytest.mark.parametrize(("row", "namespace", "scope"), [(PODS, "default", "Namespaced"), (NAMESPACES, "x", "Cluster")])
def test_a_namespace_itself_is_of_the_cluster(row: Any, namespace: str, scope: str) -> None:
    for asked in ("Namespaced", "Cluster"):
        found = find_match(hook(scope=asked), change(row, namespace=namespace), [row], None)
        assert (found is not None) is (asked == scope)


def test_an_equivalent_version_is_taken_unless_the_match_is_exact() -> None:
    stored = RESOURCES.stored("ingresses.networking.k8s.io")
    old = next(row for row in INGRESSES if row is not stored)
    rule = {"groups": "networking.k8s.io", "versions": "v1", "resources": "ingresses"}
    assert find_match(hook(**rule), change(old), INGRESSES, None) is stored
    assert find_match(hook(**rule, matchPolicy="Exact"), change(old), INGRESSES, None) is None


def test_selectors_look_at_the_namespace_and_at_the_object_before_and_after() -> None:
    chosen = hook(namespaceSelector={"matchLabels": {"a": "b"}})
    assert find_match(chosen, change(), [PODS], {"metadata": {"labels": {"a": "b"}}})
    assert not find_match(chosen, change(), [PODS], {"metadata": {}})
    own = change(NAMESPACES, object={"metadata": {"labels": {"a": "b"}}})
    assert find_match(chosen, own, [NAMESPACES], None)
    watched = hook(objectSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]})
    labelled: Any = {"metadata": {"labels": {"a": ""}}}
    assert find_match(watched, change(object={"metadata": {}}, old=labelled), [PODS], None)
    assert not find_match(watched, change(object={"metadata": {}}), [PODS], None)


def test_a_condition_that_cannot_be_read_any_more_fails_when_it_is_needed() -> None:
    found = hook(matchConditions=[{"name": "odd", "expression": "object."}])
    with pytest.raises(CelError):
        found.conditions[0][1]({})


def test_most_kinds_are_known_to_concern_nobody() -> None:
    assert may_concern(hook(groups="", resources="pods/exec,services"), PODS)
    assert not may_concern(hook(groups="apps", resources="*"), PODS)


def test_webhooks_are_called_in_the_order_of_their_configurations_names() -> None:
    def configuration(name: str) -> Any:
        return {"metadata": {"name": name}, "webhooks": [{"name": f"{part}.{name}", "clientConfig": {}} for part in "ba"]}

    assert [found.name for found in parse_hooks(map(configuration, ("z", "y")))] == ["b.y", "a.y", "b.z", "a.z"]
