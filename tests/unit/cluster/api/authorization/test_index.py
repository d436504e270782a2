from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.api.authorization.index import Index
from remora.cluster.api.authorization.rules import Attributes, Rule, allows, wire_rule
from remora.cluster.api.tokens import Identity

ACCOUNT = Identity("system:serviceaccount:a:robot", ("system:serviceaccounts", "system:serviceaccounts:a"))
READ_PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}


def role(name: str, *rules: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"metadata": metadata, "rules": list(rules)}


def binding(role_name: str, *subjects: dict[str, str], kind: str = "ClusterRole", namespace: str = "") -> dict[str, Any]:
    metadata = {"name": f"to-{role_name}", **({"namespace": namespace} if namespace else {})}
    return {"metadata": metadata, "roleRef": {"kind": kind, "name": role_name}, "subjects": list(subjects)}


ROBOT = {"kind": "ServiceAccount", "name": "robot", "namespace": "a"}


def asks(namespace: str = "", verb: str = "get") -> Attributes:
    return Attributes(verb=verb, resource="pods", namespace=namespace)


def test_a_role_binding_holds_in_its_namespace_only() -> None:
    index = Index(cluster_roles=[role("read", READ_PODS)], role_bindings=[binding("read", ROBOT, namespace="b")])
    assert index.decide(ACCOUNT, asks("b")).is_allowed
    assert not index.decide(ACCOUNT, asks("a")).is_allowed
    assert not index.decide(ACCOUNT, asks()).is_allowed


def test_a_cluster_role_binding_holds_everywhere_and_is_named() -> None:
    index = Index(cluster_roles=[role("read", READ_PODS)], cluster_role_bindings=[binding("read", ROBOT)])
    found = index.decide(ACCOUNT, asks("b"))
    assert found.is_allowed
    assert found.reason == 'RBAC: allowed by ClusterRoleBinding "to-read" of ClusterRole "read" to ServiceAccount "robot/a"'


def test_a_role_of_another_namespace_is_not_meant() -> None:
    index = Index(
        roles=[role("read", READ_PODS, namespace="a")],
        role_bindings=[binding("read", ROBOT, kind="Role", namespace="b")],
    )
    found = index.decide(ACCOUNT, asks("b"))
    assert not found.is_allowed
    assert found.reason == 'RBAC: role.rbac.authorization.k8s.io "read" not found'


def test_groups_are_subjects() -> None:
    group = {"kind": "Group", "name": "system:serviceaccounts:a"}
    index = Index(cluster_roles=[role("read", READ_PODS)], cluster_role_bindings=[binding("read", group)])
    assert index.decide(ACCOUNT, asks("b")).is_allowed
    assert not index.decide(Identity("jane"), asks("b")).is_allowed


def test_paths_are_granted_for_the_whole_cluster_only() -> None:
    paths = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    asked = Attributes(verb="get", path="/metrics")
    whole = Index(cluster_roles=[role("see", paths)], cluster_role_bindings=[binding("see", ROBOT)])
    part = Index(cluster_roles=[role("see", paths)], role_bindings=[binding("see", ROBOT, namespace="a")])
    assert whole.decide(ACCOUNT, asked).is_allowed
    assert not part.decide(ACCOUNT, asked).is_allowed


words = st.lists(st.sampled_from(["*", "get", "list"]), min_size=1, max_size=2).map(tuple)
groups = st.lists(st.sampled_from(["*", "", "apps"]), min_size=1, max_size=2).map(tuple)
resources = st.lists(st.sampled_from(["*", "pods", "pods/log", "*/log", "secrets"]), min_size=1, max_size=3).map(tuple)
names = st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple)
paths = st.lists(st.sampled_from(["*", "/a", "/a/*"]), min_size=1, max_size=2).map(tuple)
rules = st.one_of(st.builds(Rule, words, groups, resources, names), st.builds(lambda v, p: Rule(v, paths=p), words, paths))
attributes = st.one_of(
    st.builds(
        Attributes,
        verb=st.sampled_from(["get", "list", "delete"]),
        group=st.sampled_from(["", "apps", "batch"]),
        resource=st.sampled_from(["pods", "secrets"]),
        subresource=st.sampled_from(["", "log", "exec"]),
        name=st.sampled_from(["", "x", "y"]),
        namespace=st.sampled_from(["", "a", "b"]),
    ),
    st.builds(Attributes, verb=st.sampled_from(["get", "list"]), path=st.sampled_from(["/a", "/a/b", "/b"])),
)


@given(everywhere=st.lists(rules, max_size=3), inside=st.lists(rules, max_size=3), asked=attributes)
def test_looking_up_says_what_reading_every_rule_says(everywhere: list[Rule], inside: list[Rule], asked: Attributes) -> None:
    index = Index(
        cluster_roles=[role("all", *map(wire_rule, everywhere)), role("in", *map(wire_rule, inside))],
        cluster_role_bindings=[binding("all", ROBOT)],
        role_bindings=[binding("in", ROBOT, namespace="a")],
    )
    held = [*everywhere, *(inside if asked.resource and asked.namespace == "a" else ())]
    assert index.decide(ACCOUNT, asked).is_allowed is any(allows(rule, asked) for rule in held)
