"""The deciding part over the registry: the index is as new as the newest role and binding, at the cost of four look-ups."""

from typing import Any, Literal

from remora.cluster.api.authorization.attributes import why_forbidden
from remora.cluster.api.authorization.index import Decision, Index
from remora.cluster.api.authorization.rules import EVERYTHING, Attributes, Rule
from remora.cluster.api.errors import ApiError, forbidden
from remora.cluster.api.registry import Registry
from remora.cluster.api.tokens import Identity

Object = dict[str, Any]
AuthorizationMode = Literal["AlwaysAllow", "RBAC"]
MASTERS = "system:masters"
RBAC = "rbac.authorization.k8s.io"
_KINDS = tuple(f"{plural}.{RBAC}" for plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings"))


class Authorizer:
    """Whoever is in group `system:masters` may do all; everybody else what the bindings give them.

    In mode AlwaysAllow everybody with a client certificate is in that group.
    """

    def __init__(self, registry: Registry, mode: AuthorizationMode = "AlwaysAllow") -> None:
        self._registry = registry
        self._mode = mode
        self._index = Index()
        self._made_of: tuple[int, ...] = ()

    @property
    def index(self) -> Index:
        found = tuple(map(self._registry.touched, _KINDS))
        if found != self._made_of:
            roles, cluster_roles, role_bindings, cluster_role_bindings = (self._registry.list(kind)[0] for kind in _KINDS)
            self._made_of = found
            self._index = Index(
                roles=roles,
                cluster_roles=cluster_roles,
                role_bindings=role_bindings,
                cluster_role_bindings=cluster_role_bindings,
            )
        return self._index

    def person(self, certified: Identity) -> Identity:
        """Whom a client certificate stands for."""
        if self._mode == "RBAC" or MASTERS in certified.groups:
            return certified
        return Identity(certified.username, (MASTERS, *certified.groups), certified.uid, certified.extra)

    def decide(self, identity: Identity, asked: Attributes) -> Decision:
        return Decision(True) if MASTERS in identity.groups else self.index.decide(identity, asked)

    def rules_of(self, identity: Identity, namespace: str) -> tuple[Rule, ...]:
        return EVERYTHING if MASTERS in identity.groups else self.index.rules_of(identity, namespace)

    def check(self, identity: Identity, asked: Attributes) -> None:
        """Refuses what is not allowed.

        Raises:
            ApiError: Forbidden.
        """
        if MASTERS in identity.groups:
            return
        decision = self.index.decide(identity, asked)
        if not decision.is_allowed:
            raise refusal(identity, asked, decision.reason)


def refusal(identity: Identity, asked: Attributes, reason: str = "") -> ApiError:
    """Forbidden, in Kubernetes' words."""
    why = why_forbidden(identity.username, asked, reason)
    if not asked.resource:
        return ApiError(403, "Forbidden", f"forbidden: {why}", details={})
    if asked.name:
        return forbidden(asked.resource, asked.name, why, group=asked.group)
    error = forbidden(asked.resource, "", why, group=asked.group)
    name = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    return ApiError(403, "Forbidden", f"{name} is forbidden: {why}", details=error.details)
