"""Checks of webhook configurations (`ValidateMutatingWebhookConfiguration` and its sibling)."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from remora.cluster.api.admission.hooks import VARIABLES
from remora.cluster.api.errors import Cause, duplicate, invalid_value, required, unsupported
from remora.cluster.api.names import wrong_with_subdomain
from remora.cluster.api.validation.fields import Object, check_port, listed
from remora.cluster.cel import CelError, compile_expression

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_VERSIONS = ("v1", "v1beta1")
_POLICIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("failurePolicy", ("Fail", "Ignore")),
    ("matchPolicy", ("Equivalent", "Exact")),
    ("sideEffects", ("None", "NoneOnDryRun")),
    ("reinvocationPolicy", ("IfNeeded", "Never")),
)
_MOST_CONDITIONS = 64


def check_webhooks(configuration: Object) -> Iterator[Cause]:
    names: set[str] = set()
    for index, hook in listed(configuration, "webhooks"):
        where = f"webhooks[{index}]"
        yield from _check_hook(hook, where)
        name = str(hook.get("name") or "")
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)


def _check_hook(hook: Object, where: str) -> Iterator[Cause]:
    name = str(hook.get("name") or "")
    if not name:
        yield required(f"{where}.name")
    elif wrong := [*wrong_with_subdomain(name)]:
        yield from (invalid_value(f"{where}.name", name, why) for why in wrong)
    elif name.count(".") < 2:
        yield invalid_value(f"{where}.name", name, "should be a domain with at least three segments separated by dots")
    yield from _check_versions(hook.get("admissionReviewVersions") or [], f"{where}.admissionReviewVersions")
    for index, rule in listed(hook, "rules"):
        yield from _check_rule(rule, f"{where}.rules[{index}]")
    for field, known in _POLICIES:
        if field in hook and hook[field] not in known:
            yield unsupported(f"{where}.{field}", hook[field], known)
    if not hook.get("sideEffects"):
        yield required(f"{where}.sideEffects", "must specify one of None, NoneOnDryRun")
    timeout = hook.get("timeoutSeconds")
    if isinstance(timeout, int) and not 1 <= timeout <= 30:
        yield invalid_value(f"{where}.timeoutSeconds", timeout, "the timeout value must be between 1 and 30 seconds")
    yield from _check_client(hook.get("clientConfig") or {}, f"{where}.clientConfig")
    yield from _check_conditions(hook, where)


def _check_versions(versions: Sequence[Any], where: str) -> Iterator[Cause]:
    if not versions:
        yield required(where, f"must specify one of {', '.join(_VERSIONS)}")
    elif not set(versions) & set(_VERSIONS):
        yield invalid_value(where, versions, f"must include at least one of {', '.join(_VERSIONS)}")


def _check_rule(rule: Object, where: str) -> Iterator[Cause]:
    for field, what in (("operations", "operations"), ("apiGroups", "API groups"), ("apiVersions", "API versions")):
        yield from _check_listed(rule.get(field) or [], f"{where}.{field}", what)
    for index, operation in enumerate(rule.get("operations") or ()):
        if operation not in _OPERATIONS:
            yield unsupported(f"{where}.operations[{index}]", operation, _OPERATIONS)
    if not rule.get("resources"):
        yield required(f"{where}.resources")
    if rule.get("scope") not in (None, *_SCOPES):
        yield unsupported(f"{where}.scope", rule["scope"], _SCOPES)


def _check_listed(values: Sequence[Any], where: str, what: str) -> Iterator[Cause]:
    if not values:
        yield required(where)
    elif len(values) > 1 and "*" in values:
        yield invalid_value(where, values, f"if '*' is present, must not specify other {what}")


def _check_client(client: Object, where: str) -> Iterator[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        yield required(where, "exactly one of url or service is required")
    elif url is not None:
        yield from _check_url(str(url), f"{where}.url")
    else:
        yield from _check_service(service if isinstance(service, dict) else {}, f"{where}.service")


def _check_url(url: str, where: str) -> Iterator[Cause]:
    form = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        yield required(where, f"url must be a valid URL: {error}{form}")
        return
    if parts.scheme != "https":
        yield invalid_value(where, parts.scheme, f"'https' is the only allowed URL scheme{form}")
    if not parts.netloc:
        yield invalid_value(where, parts.netloc, f"host must be specified{form}")
    for found, what in ((parts.username, "user information is"), (parts.fragment, "fragments are"), (parts.query, "query is")):
        if found:
            yield invalid_value(where, found, f"{what} not permitted in the URL")


def _check_service(service: Object, where: str) -> Iterator[Cause]:
    for field in ("name", "namespace"):
        if not service.get(field):
            yield required(f"{where}.{field}", f"service {field} is required")
    if "port" in service:
        yield from check_port(service["port"], f"{where}.port")
    path = service.get("path")
    if path and not str(path).startswith("/"):
        yield invalid_value(f"{where}.path", path, "must start with a '/'")


def _check_conditions(hook: Object, where: str) -> Iterator[Cause]:
    conditions = listed(hook, "matchConditions")
    if len(conditions) > _MOST_CONDITIONS:
        why = f"must have at most {_MOST_CONDITIONS} items"
        yield Cause(f"{where}.matchConditions", "FieldValueTooMany", f"Too many: {len(conditions)}: {why}")
    names: set[str] = set()
    for index, condition in conditions:
        here, name = f"{where}.matchConditions[{index}]", str(condition.get("name") or "")
        expression = str(condition.get("expression") or "")
        if not name:
            yield required(f"{here}.name")
        elif name in names:
            yield duplicate(f"{here}.name", name)
        names.add(name)
        if not expression.strip():
            yield required(f"{here}.expression")
            continue
        try:
            compile_expression(expression, VARIABLES)
        except CelError as error:
            yield invalid_value(f"{here}.expression", expression, f"compilation failed: {error}")
