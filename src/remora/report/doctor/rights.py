"""What the controller's service account has to be allowed: the rules of its own manifest, each asked of the API server."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.core.names import NamespacedName
from remora.report.doctor.finding import Finding, ok, problem, warning

OPTIONAL = {
    ("", "pods"): "the annotation remora.io/session-drain and --publish-session-counts have no effect",
    ("", "nodes"): "--enable-topology-aware-routing and addresses of nodes in statuses have no effect",
    ("networking.k8s.io", "ingressclasses"): "only the annotation kubernetes.io/ingress.class counts",
    ("", "events"): "problems of Ingresses are in the log and the metrics alone",
}
"""What the controller does without, and what that means (`kube.reflector` does the same)."""


class Right(msgspec.Struct, frozen=True, order=True):
    """One verb on one resource; `namespace` "" is all of them."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def review(self, account: NamespacedName) -> dict[str, Any]:
        """The SubjectAccessReview that asks for it."""
        resource, _, subresource = self.resource.partition("/")
        wanted = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": self.namespace,
            "name": self.name,
        }
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{account.namespace}", "system:authenticated"]
        user = f"system:serviceaccount:{account.namespace}:{account.name}"
        spec = {"user": user, "groups": groups, "resourceAttributes": wanted}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{group}{f' {self.name}' if self.name else ''}{place}"


def needed_rights(manifest: Iterable[Mapping[str, Any]], account: NamespacedName, *, watched: str = "") -> tuple[Right, ...]:
    """The rights that the manifest's roles grant; those of its Role in the account's namespace, the others where it watches."""
    found: set[Right] = set()
    for role in manifest:
        if role.get("kind") in ("ClusterRole", "Role"):
            namespace = account.namespace if role["kind"] == "Role" else watched
            found |= {right for rule in role["rules"] for right in _rights(rule, namespace)}
    return tuple(sorted(found))


def _rights(rule: Mapping[str, Any], namespace: str) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            of_cluster = resource in ("nodes", "ingressclasses")
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or ("",):
                    yield Right(verb, group, resource, "" if of_cluster else namespace, name)


def judge_rights(account: NamespacedName, needed: Sequence[Right], denied: Sequence[Right]) -> Iterator[Finding]:
    """Whether the account may do what the controller needs."""
    serious = [right for right in denied if (right.group, right.resource) not in OPTIONAL]
    optional = [right for right in denied if (right.group, right.resource) in OPTIONAL]
    todo = "apply the roles and bindings of the manifest again: `kubectl apply -k deploy/base`, or `helm upgrade`"
    if serious:
        what = f"{account} may not {_listed(serious)}"
        yield problem("rights", what, "the controller cannot do its work without", todo)
    if optional:
        why = "; ".join(dict.fromkeys(OPTIONAL[right.group, right.resource] for right in optional))
        yield warning("rights", f"{account} may not {_listed(optional)}", why, todo)
    if not denied:
        yield ok("rights", f"{account} may do all {len(needed)} things that the controller needs")


def _listed(rights: Sequence[Right]) -> str:
    return ", ".join(map(str, rights))
