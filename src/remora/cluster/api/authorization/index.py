"""Roles and bindings by subject, and what somebody may do by verb, group and resource: a few look-ups for each request. Pure.

An index is made from all roles and bindings of one moment. What somebody may do is put together when they first ask.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from remora.cluster.api.authorization.rules import ALL, Attributes, Rule, parse_rules, path_matches
from remora.cluster.api.tokens import Identity

Object = dict[str, Any]

CLUSTER = ""
"""The scope of a ClusterRoleBinding; that of a RoleBinding is its namespace."""

_MOST_KEPT = 1000


class Decision(msgspec.Struct, frozen=True):
    """`reason` is which binding allows it, or what is wrong with those that might."""

    is_allowed: bool
    reason: str = ""


class _Binding(NamedTuple):
    scope: str
    rules: tuple[Rule, ...]
    reason: str
    fault: str


class _Grant(NamedTuple):
    """`names` None means any object."""

    names: frozenset[str] | None
    reason: str


class _Scope:
    """What is granted in one namespace, or everywhere."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.faults: list[str] = []
        self._by_key: dict[tuple[str, str, str], list[_Grant]] = {}
        self._by_path: list[tuple[Rule, str]] = []

    def add(self, binding: _Binding) -> None:
        self.rules.extend(binding.rules)
        if binding.fault:
            self.faults.append(binding.fault)
        for rule in binding.rules:
            if rule.paths and binding.scope == CLUSTER:
                self._by_path.append((rule, binding.reason))
            grant = _Grant(frozenset(rule.names) or None, binding.reason)
            for verb in rule.verbs:
                for group in rule.groups:
                    for resource in rule.resources:
                        self._by_key.setdefault((verb, group, resource), []).append(grant)

    def find(self, asked: Attributes) -> str | None:
        """Which binding allows it; None if none does."""
        if not asked.resource:
            return self._find_path(asked)
        resources = (asked.combined, ALL, f"{ALL}/{asked.subresource}") if asked.subresource else (asked.resource, ALL)
        for verb in (asked.verb, ALL):
            for group in (asked.group, ALL):
                for resource in resources:
                    for grant in self._by_key.get((verb, group, resource), ()):
                        if grant.names is None or asked.name in grant.names:
                            return grant.reason
        return None

    def _find_path(self, asked: Attributes) -> str | None:
        for rule, reason in self._by_path:
            if (asked.verb in rule.verbs or ALL in rule.verbs) and any(path_matches(path, asked.path) for path in rule.paths):
                return reason
        return None


class Index:
    """All lists are of stored objects."""

    def __init__(
        self,
        *,
        roles: Iterable[Object] = (),
        cluster_roles: Iterable[Object] = (),
        role_bindings: Iterable[Object] = (),
        cluster_role_bindings: Iterable[Object] = (),
    ) -> None:
        self._roles = {_key(role): parse_rules(role.get("rules")) for role in (*cluster_roles, *roles)}
        self._by_subject: dict[str, list[_Binding]] = {}
        for binding in (*cluster_role_bindings, *role_bindings):
            self._note(binding)
        self._kept: dict[tuple[str, tuple[str, ...]], Mapping[str, _Scope]] = {}

    def _note(self, binding: Object) -> None:
        metadata, role = binding["metadata"], {"kind": "", "name": "", **(binding.get("roleRef") or {})}
        scope = metadata.get("namespace", CLUSTER)
        rules = self.find_role(role, scope)
        where = f"{metadata['name']}/{scope}" if scope else metadata["name"]
        kind = "RoleBinding" if scope else "ClusterRoleBinding"
        fault = f'{role["kind"].lower()}.rbac.authorization.k8s.io "{role["name"]}" not found' if rules is None else ""
        for given in binding.get("subjects") or ():
            subject = {"kind": "", "name": "", **given}
            reason = f'RBAC: allowed by {kind} "{where}" of {role["kind"]} "{role["name"]}" to {_render_subject(subject)}'
            noted = _Binding(scope, rules or (), reason, fault)
            self._by_subject.setdefault(_subject_key(subject, scope), []).append(noted)

    def find_role(self, reference: Object, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of the role that a binding in a namespace refers to."""
        scope = CLUSTER if reference["kind"] == "ClusterRole" else namespace
        return self._roles.get((scope, reference["name"]))

    def decide(self, identity: Identity, asked: Attributes) -> Decision:
        scopes = self._scopes(identity)
        faults: list[str] = []
        for scope in dict.fromkeys((CLUSTER, asked.namespace)):
            found = scopes.get(scope)
            if found is None:
                continue
            reason = found.find(asked)
            if reason is not None:
                return Decision(True, reason)
            faults += found.faults
        return Decision(False, _render_faults(faults))

    def rules_of(self, identity: Identity, namespace: str) -> tuple[Rule, ...]:
        """All rules that hold for somebody in a namespace."""
        scopes = self._scopes(identity)
        return tuple(rule for scope in dict.fromkeys((CLUSTER, namespace)) if scope in scopes for rule in scopes[scope].rules)

    def _scopes(self, identity: Identity) -> Mapping[str, _Scope]:
        key = (identity.username, identity.groups)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = self._put_together(identity)
        return kept

    def _put_together(self, identity: Identity) -> Mapping[str, _Scope]:
        scopes: dict[str, _Scope] = {}
        for binding in self._bindings(identity):
            scopes.setdefault(binding.scope, _Scope()).add(binding)
        return scopes

    def _bindings(self, identity: Identity) -> Iterator[_Binding]:
        for key in (f"User:{identity.username}", *(f"Group:{group}" for group in identity.groups)):
            yield from self._by_subject.get(key, ())


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", CLUSTER), obj["metadata"]["name"]


def _subject_key(subject: Object, namespace: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"User:system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"
    return f"{subject['kind']}:{subject['name']}"


def _render_subject(subject: Object) -> str:
    name = f"{subject['name']}/{subject.get('namespace', '')}" if subject["kind"] == "ServiceAccount" else subject["name"]
    return f'{subject["kind"]} "{name}"'


def _render_faults(faults: list[str]) -> str:
    distinct = list(dict.fromkeys(faults))
    if not distinct:
        return ""
    return f"RBAC: {distinct[0]}" if len(distinct) == 1 else f"RBAC: [{', '.join(distinct)}]"
