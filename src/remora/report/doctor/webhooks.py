"""Admission webhooks that nobody answers: what is left of an uninstalled ingress-nginx keeps Ingresses from being stored."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from remora.core.names import NamespacedName
from remora.report.doctor.finding import Finding, ok, problem, warning


def judge_webhooks(
    configurations: Iterable[Mapping[str, Any]], services: Iterable[NamespacedName], answering: Iterable[NamespacedName]
) -> Iterator[Finding]:
    """Webhooks whose Service is gone or has no pod; `answering` are Services with a ready endpoint."""
    existing, ready, number = set(services), set(answering), 0
    is_fine = True
    for configuration in configurations:
        for webhook in configuration.get("webhooks") or ():
            number += 1
            given = (webhook.get("clientConfig") or {}).get("service")
            service = NamespacedName(given["namespace"], given["name"]) if given else None
            if service is None or service in ready:
                continue
            is_fine = False
            yield _unanswered(configuration, webhook, service, is_there=service in existing)
    if is_fine:
        yield ok("webhooks", f"{number} admission webhooks, all with somebody who answers")


def _unanswered(
    configuration: Mapping[str, Any], webhook: Mapping[str, Any], service: NamespacedName, *, is_there: bool
) -> Finding:
    kind, name = configuration["kind"], configuration["metadata"]["name"]
    what = f"{kind} {name}: Service {service} {'has no ready pod' if is_there else 'is gone'}"
    resources = sorted({resource for rule in webhook.get("rules") or () for resource in rule.get("resources") or ()})
    todo = f"`kubectl -n {service.namespace} get pods`" if is_there else f"`kubectl delete {kind.lower()} {name}`"
    if webhook.get("failurePolicy", "Fail") != "Fail":
        return warning("webhooks", what, f"every change of {', '.join(resources)} waits for its timeout", todo)
    return problem("webhooks", what, f"{', '.join(resources)} can be neither made nor changed (failurePolicy: Fail)", todo)
