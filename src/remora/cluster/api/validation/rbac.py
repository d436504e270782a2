"""Checks of roles and bindings."""

from collections.abc import Iterator

from remora.cluster.api.errors import Cause, invalid_value, required, unsupported
from remora.cluster.api.validation.fields import Object, listed

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def check_role(role: Object) -> Iterator[Cause]:
    """Roles of both kinds; a ClusterRole has no namespace."""
    for index, rule in listed(role, "rules"):
        yield from _check_rule(rule, f"rules[{index}]", namespaced=role["kind"] == "Role")


def _check_rule(rule: Object, where: str, *, namespaced: bool) -> Iterator[Cause]:
    if not rule.get("verbs"):
        yield required(f"{where}.verbs", "verbs must contain at least one value")
    if rule.get("nonResourceURLs"):
        if namespaced:
            yield invalid_value(
                f"{where}.nonResourceURLs", rule["nonResourceURLs"], "namespaced rules cannot apply to non-resource URLs"
            )
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid_value(f"{where}.nonResourceURLs", rule["nonResourceURLs"], why)
        return
    if not rule.get("apiGroups"):
        yield required(f"{where}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{where}.resources", "resource rules must supply at least one resource")


def check_binding(binding: Object) -> Iterator[Cause]:
    """Bindings of both kinds; a ClusterRoleBinding has no namespace."""
    reference = binding.get("roleRef") or {}
    if reference.get("apiGroup") != _GROUP:
        yield unsupported("roleRef.apiGroup", reference.get("apiGroup", ""), (_GROUP,))
    namespaced = binding["kind"] == "RoleBinding"
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        yield unsupported("roleRef.kind", reference.get("kind", ""), kinds)
    if not reference.get("name"):
        yield required("roleRef.name")
    for index, subject in listed(binding, "subjects"):
        yield from _check_subject(subject, f"subjects[{index}]", namespaced=namespaced)


def _check_subject(subject: Object, where: str, *, namespaced: bool) -> Iterator[Cause]:
    kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
    if not subject.get("name"):
        yield required(f"{where}.name")
    if kind not in _SUBJECTS:
        yield unsupported(f"{where}.kind", kind, _SUBJECTS)
        return
    expected = "" if kind == "ServiceAccount" else _GROUP
    if group != expected:
        yield unsupported(f"{where}.apiGroup", group, (expected,))
    if kind == "ServiceAccount" and not namespaced and not subject.get("namespace"):
        yield required(f"{where}.namespace")


def check_binding_update(binding: Object, before: Object) -> Iterator[Cause]:
    if binding.get("roleRef") != before.get("roleRef"):
        yield invalid_value("roleRef", binding.get("roleRef"), "cannot change roleRef")
