"""Nobody hands on rights that they do not have (Kubernetes' `ConfirmNoEscalation`), unless they may `escalate` or `bind`.

Admission hooks for the registry: they look at who makes the request, and let the cluster's own controllers pass.
"""

from typing import Any

from remora.cluster.api.authorization.authorizer import MASTERS, RBAC, Authorizer
from remora.cluster.api.authorization.rules import EVERYTHING, Attributes, Rule, parse_rules, render_rules, uncovered
from remora.cluster.api.caller import current_caller
from remora.cluster.api.errors import ApiError, forbidden, not_found
from remora.cluster.api.registry import Registry
from remora.cluster.api.tokens import Identity

Object = dict[str, Any]

_FOR_GARBAGE = ("finalizers", "managedFields", "ownerReferences", "resourceVersion")


class EscalationCheck:
    """Attaches itself to the four kinds."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def attach(self, registry: Registry) -> None:
        for plural in ("roles", "clusterroles"):
            registry.add_admission(f"{plural}.{RBAC}", self._admit_role)
        for plural in ("rolebindings", "clusterrolebindings"):
            registry.add_admission(f"{plural}.{RBAC}", self._admit_binding)

    def _admit_role(self, role: Object, before: Object | None) -> Object:
        identity = _who()
        if identity is None or (before is not None and _is_for_garbage(role, before)):
            return role
        plural = "roles" if role["metadata"].get("namespace") else "clusterroles"
        if not self._may(identity, "escalate", plural, role["metadata"]):
            self._refuse(identity, parse_rules(role.get("rules")), plural, role["metadata"])
            if role.get("aggregationRule") and self._missing(identity, EVERYTHING, role["metadata"]):
                why = "must have cluster-admin privileges to use the aggregationRule"
                raise forbidden(plural, role["metadata"]["name"], why, group=RBAC)
        return role

    def _admit_binding(self, binding: Object, before: Object | None) -> Object:
        identity = _who()
        if identity is None or (before is not None and _is_for_garbage(binding, before)):
            return binding
        metadata, reference = binding["metadata"], binding["roleRef"]
        kind = "roles" if reference["kind"] == "Role" else "clusterroles"
        target = {"name": reference["name"], "namespace": metadata.get("namespace", "")}
        if self._may(identity, "bind", kind, target):
            return binding
        rules = self._authorizer.index.find_role(reference, metadata.get("namespace", ""))
        if rules is None:
            raise not_found(kind, reference["name"], group=RBAC)
        self._refuse(identity, rules, "rolebindings" if metadata.get("namespace") else "clusterrolebindings", metadata)
        return binding

    def _may(self, identity: Identity, verb: str, resource: str, metadata: Object) -> bool:
        asked = Attributes(
            verb=verb,
            group=RBAC,
            version="v1",
            resource=resource,
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
        )
        return self._authorizer.decide(identity, asked).is_allowed

    def _missing(self, identity: Identity, wanted: tuple[Rule, ...], metadata: Object) -> list[Rule]:
        return uncovered(self._authorizer.rules_of(identity, metadata.get("namespace", "")), wanted)

    def _refuse(self, identity: Identity, wanted: tuple[Rule, ...], plural: str, metadata: Object) -> None:
        missing = self._missing(identity, wanted, metadata)
        if missing:
            raise _escalation(identity, missing, plural, metadata["name"])


def _who() -> Identity | None:
    caller = current_caller()
    return None if caller is None or MASTERS in caller.identity.groups else caller.identity


def _is_for_garbage(new: Object, before: Object) -> bool:
    """Whether nothing changes but what garbage collection needs. A label may make of a role a part of another."""
    return _without(new) == _without(before)


def _without(obj: Object) -> Object:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key not in _FOR_GARBAGE}}


def _escalation(identity: Identity, missing: list[Rule], plural: str, name: str) -> ApiError:
    groups = " ".join(f'"{group}"' for group in identity.groups)
    who = f'user "{identity.username}" (groups=[{groups}])'
    why = f"{who} is attempting to grant RBAC permissions not currently held:\n{render_rules(missing)}"
    return forbidden(plural, name, why, group=RBAC)
