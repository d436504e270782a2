"""Namespaces: what every one contains from the start, and the end of those that were deleted."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Create, Decision, Update, carry_out, delete, update_status
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.objects import Object, is_terminating, render_time, with_conditions
from remora.cluster.objects import now as current_time

COMPONENT = "namespace-controller"
ROOT_CA = "kube-root-ca.crt"
FINALIZER = "kubernetes"
_LOOK_AGAIN = 0.1
"""Seconds between two looks at a namespace whose pods are still stopping."""


def decide_contents(
    namespace: Object, *, account: Object | None, root_ca: Object | None, ca_certificate: str
) -> tuple[Action, ...]:
    """Makes the ServiceAccount `default` and the ConfigMap by which clients in the cluster know the API server."""
    if is_terminating(namespace):
        return ()
    name = namespace["metadata"]["name"]
    actions: list[Action] = []
    if account is None:
        metadata = {"name": "default", "namespace": name}
        actions.append(Create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
    data = {"ca.crt": ca_certificate}
    if root_ca is None:
        metadata = {"name": ROOT_CA, "namespace": name}
        actions.append(Create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}))
    elif root_ca.get("data") != data:
        actions.append(Update("configmaps", {**root_ca, "data": data}))
    return tuple(actions)


def decide_end(namespace: Object, contents: Sequence[tuple[str, Object]], *, now: datetime) -> Decision:
    """What to do with a namespace that is being deleted; `contents` are all objects in it with their resource."""
    if not is_terminating(namespace):
        return Decision()
    status = namespace.get("status") or {}
    conditions = with_conditions(status.get("conditions") or (), _conditions(contents, now))
    noted = update_status("namespaces", namespace, {**status, "conditions": conditions})
    if contents:
        doomed = (delete(resource, obj) for resource, obj in contents if not is_terminating(obj))
        return Decision((*doomed, *noted), _LOOK_AGAIN)
    finalizers = [found for found in namespace["spec"].get("finalizers") or () if found != FINALIZER]
    if finalizers == (namespace["spec"].get("finalizers") or []):
        return Decision(noted)
    freed = {**namespace, "spec": {**namespace["spec"], "finalizers": finalizers}}
    freed["metadata"] = {name: value for name, value in namespace["metadata"].items() if name != "resourceVersion"}
    return Decision((*noted, Update("namespaces", freed, "finalize")))


def _conditions(contents: Sequence[tuple[str, Object]], now: datetime) -> list[Object]:
    """What keeps the namespace, in the words that `kubectl describe` shows."""
    kinds = Counter(resource for resource, _ in contents)
    held = Counter(name for _, obj in contents for name in obj["metadata"].get("finalizers") or ())
    remaining = ", ".join(f"{_qualified(kind)} has {count} resource instances" for kind, count in sorted(kinds.items()))
    finalizing = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(held.items()))
    deleted = "All content successfully deleted, may be waiting on finalization"
    rows: tuple[tuple[str, bool, str, str], ...] = (
        ("DeletionDiscoveryFailure", False, "ResourcesDiscovered", "All resources successfully discovered"),
        ("DeletionGroupVersionParsingFailure", False, "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ("DeletionContentFailure", False, "ContentDeleted", deleted),
        ("ContentRemaining", True, "SomeResourcesRemain", f"Some resources are remaining: {remaining}")
        if contents
        else ("ContentRemaining", False, "ContentRemoved", "All content successfully removed"),
        (
            "FinalizersRemaining",
            True,
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {finalizing}",
        )
        if held
        else ("FinalizersRemaining", False, "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    )
    return [_condition(*row, now) for row in rows]


def _condition(type_: str, is_true: bool, reason: str, message: str, now: datetime) -> Object:
    return {
        "type": f"Namespace{type_}",
        "status": "True" if is_true else "False",
        "lastTransitionTime": render_time(now),
        "reason": reason,
        "message": message,
    }


def _qualified(resource: str) -> str:
    """`pods.`: Kubernetes writes the empty group, too."""
    return resource if "." in resource else f"{resource}."


class NamespaceController:
    """Fills new namespaces and empties deleted ones. `ca_certificate` is PEM text."""

    def __init__(self, *, registry: Registry, events: Events, ca_certificate: str) -> None:
        self._registry = registry
        self._events = events
        self._ca_certificate = ca_certificate
        self._loop: Loop[str] = Loop("namespace", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(
                follow(self._registry, "namespaces", lambda event: self._loop.add(event.object["metadata"]["name"]))
            )
            group.create_task(follow(self._registry, "serviceaccounts", self._content_changed))
            group.create_task(follow(self._registry, "configmaps", self._content_changed))

    def _content_changed(self, event: WatchEvent) -> None:
        if event.type != "ADDED" and event.object["metadata"]["name"] in ("default", ROOT_CA):
            self._loop.add(event.object["metadata"]["namespace"])

    async def _reconcile(self, name: str) -> float | None:
        namespace = self._registry.find("namespaces", "", name)
        if namespace is None:
            return None
        if is_terminating(namespace):
            decision = decide_end(namespace, self._contents(name), now=current_time())
        else:
            account = self._registry.find("serviceaccounts", name, "default")
            root_ca = self._registry.find("configmaps", name, ROOT_CA)
            decision = Decision(
                decide_contents(namespace, account=account, root_ca=root_ca, ca_certificate=self._ca_certificate)
            )
        await carry_out(decision.actions, registry=self._registry, events=self._events, component=COMPONENT)
        return decision.again_in

    def _contents(self, name: str) -> list[tuple[str, Object]]:
        table = self._registry.resources
        namespaced = (name for name in table.names if table.is_namespaced(name))
        return [(resource, obj) for resource in namespaced for obj in self._registry.list(resource, name)[0]]
