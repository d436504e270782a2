"""Which webhooks a change is for: rules, scopes, selectors and match policy, as Kubernetes decides them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from remora.cluster.api.resources import Resource
from remora.cluster.cel import CelError, Program, compile_expression
from remora.cluster.objects import selector_matches

Object = dict[str, Any]
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
ALL = "*"

VARIABLES = ("object", "oldObject", "request")
"""What the expressions of match conditions can speak of."""

_GROUP = "admissionregistration.k8s.io"
EXEMPT = frozenset(
    f"{plural}.{_GROUP}"
    for plural in (
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    )
)
"""No webhook hears of these: a bad one could not be removed any more."""


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of a configuration; `key` is its own among all."""

    key: str
    name: str
    client: Object
    rules: tuple[Object, ...]
    versions: tuple[str, ...]
    conditions: tuple[tuple[str, Program], ...]
    namespace_selector: Object
    object_selector: Object
    ignores_failure: bool
    is_equivalent: bool
    is_free_of_effects: bool
    reinvokes: bool
    timeout: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is about to happen. `row` is the resource as it was asked for; objects are of the stored version.

    With `kind` (group, version, kind) the objects are no such objects but what the subresource takes, a Scale for one.
    """

    operation: Operation
    row: Resource
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    object: Object | None = None
    old: Object | None = None
    kind: tuple[str, str, str] | None = None
    dry_run: bool = False


def parse_hooks(configurations: Iterable[Object]) -> tuple[Hook, ...]:
    """All webhooks of stored configurations of one kind, in the order in which they are called."""
    ordered = sorted(configurations, key=lambda found: str(found["metadata"]["name"]))
    return tuple(hook for configuration in ordered for hook in _hooks_of(configuration))


def _hooks_of(configuration: Object) -> Iterator[Hook]:
    for index, hook in enumerate(configuration.get("webhooks") or ()):
        yield Hook(
            key=f"{configuration['metadata']['name']}/{index}/{hook['name']}",
            name=hook["name"],
            client=hook["clientConfig"],
            rules=tuple(hook.get("rules") or ()),
            versions=tuple(hook.get("admissionReviewVersions") or ()),
            conditions=tuple((found["name"], _condition(found["expression"])) for found in hook.get("matchConditions") or ()),
            namespace_selector=hook.get("namespaceSelector") or {},
            object_selector=hook.get("objectSelector") or {},
            ignores_failure=hook.get("failurePolicy") == "Ignore",
            is_equivalent=hook.get("matchPolicy") != "Exact",
            is_free_of_effects=hook.get("sideEffects") in ("None", "NoneOnDryRun"),
            reinvokes=hook.get("reinvocationPolicy") == "IfNeeded",
            timeout=int(hook.get("timeoutSeconds") or 10),
        )


def _condition(expression: str) -> Program:
    """What cannot be read was checked by another Remora: it fails as if it could not be evaluated."""
    try:
        return compile_expression(expression, VARIABLES)
    except CelError as error:
        why = str(error)

    def fail(variables: Mapping[str, Any]) -> Any:
        raise CelError(why)

    return fail


def may_concern(hook: Hook, row: Resource) -> bool:
    """Whether a rule names the resource at all; what most changes are asked, and are done with."""
    return any(
        _has(rule.get("apiGroups"), row.group)
        and any(_plural(name) in (ALL, row.plural) for name in rule.get("resources") or ())
        for rule in hook.rules
    )


def _plural(resource: str) -> str:
    return resource.partition("/")[0]


def find_match(hook: Hook, change: Change, equivalents: Sequence[Resource], namespace: Object | None) -> Resource | None:
    """The row in whose version the webhook wants the change; None if the change is not for it.

    `equivalents` are the rows of the same objects in other versions, `namespace` is the one that the change lies in.
    """
    if not _selects_namespace(hook, change, namespace) or not _selects_object(hook, change):
        return None
    if any(_rule_matches(rule, change, change.row) for rule in hook.rules):
        return change.row
    if not hook.is_equivalent or change.kind is not None:
        return None
    others = (row for row in equivalents if row is not change.row)
    return next((row for row in others if any(_rule_matches(rule, change, row) for rule in hook.rules)), None)


def _has(listed: Sequence[str] | None, wanted: str) -> bool:
    return listed is not None and (ALL in listed or wanted in listed)


def _rule_matches(rule: Object, change: Change, row: Resource) -> bool:
    return (
        _has(rule.get("operations"), change.operation)
        and _has(rule.get("apiGroups"), row.group)
        and _has(rule.get("apiVersions"), row.version)
        and any(_resource_matches(name, row.plural, change.subresource) for name in rule.get("resources") or ())
        and _scope_matches(rule.get("scope") or ALL, change)
    )


def _resource_matches(named: str, plural: str, subresource: str) -> bool:
    """`pods`, `pods/log`, `pods/*`, `*/scale`, `*/*`, and `*`, which means no subresource."""
    resource, _, part = named.partition("/")
    return resource in (ALL, plural) and part in (ALL, subresource)


def _scope_matches(scope: str, change: Change) -> bool:
    is_namespaced = change.row.storage != "namespaces" and bool(change.namespace)
    return scope == ALL or is_namespaced == (scope == "Namespaced")


def _selects_namespace(hook: Hook, change: Change, namespace: Object | None) -> bool:
    if not hook.namespace_selector:
        return True
    if change.row.storage == "namespaces":
        namespace = change.object or change.old
    elif not change.namespace:
        return True
    return namespace is not None and selector_matches(hook.namespace_selector, _labels(namespace))


def _selects_object(hook: Hook, change: Change) -> bool:
    if not hook.object_selector:
        return True
    return any(obj is not None and selector_matches(hook.object_selector, _labels(obj)) for obj in (change.object, change.old))


def _labels(obj: Object) -> Mapping[str, str]:
    labels: Mapping[str, str] = (obj.get("metadata") or {}).get("labels") or {}
    return labels
