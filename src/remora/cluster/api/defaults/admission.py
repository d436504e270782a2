"""Defaults of webhook configurations and admission policies."""

from remora.cluster.api.defaults.values import Default, Object, fill, part, parts

_GROUP = "admissionregistration.k8s.io"


def _default_hooks(configuration: Object) -> None:
    for hook in parts(configuration, "webhooks"):
        fill(hook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        service = part(hook, "clientConfig").get("service")
        if isinstance(service, dict):
            fill(service, port=443)
        for rule in parts(hook, "rules"):
            fill(rule, scope="*")


def _default_mutating(configuration: Object) -> None:
    _default_hooks(configuration)
    for hook in parts(configuration, "webhooks"):
        fill(hook, reinvocationPolicy="Never")


def _default_policy(policy: Object) -> None:
    spec = part(policy, "spec")
    fill(spec, failurePolicy="Fail")
    _default_match(part(spec, "matchConstraints"))
    part(policy, "status")


def _default_policy_binding(binding: Object) -> None:
    match = part(binding, "spec").get("matchResources")
    if isinstance(match, dict):
        _default_match(match)


def _default_match(match: Object) -> None:
    fill(match, matchPolicy="Equivalent")
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    for rule in (*parts(match, "resourceRules"), *parts(match, "excludeResourceRules")):
        fill(rule, scope="*")


ADMISSION: dict[str, Default] = {
    f"mutatingwebhookconfigurations.{_GROUP}": _default_mutating,
    f"validatingadmissionpolicies.{_GROUP}": _default_policy,
    f"validatingadmissionpolicybindings.{_GROUP}": _default_policy_binding,
    f"validatingwebhookconfigurations.{_GROUP}": _default_hooks,
}
