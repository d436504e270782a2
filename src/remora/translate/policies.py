"""From annotations to what is done to requests and answers of a route, whatever its backend."""

import re
from collections.abc import Iterator

from remora import model
from remora.annotations.cors import Cors
from remora.annotations.headers import VARIABLE, Headers
from remora.annotations.registry import Parsed
from remora.annotations.rewrite import Rewrite
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import ConfigMap
from remora.model import ClientHost, UpstreamHost
from remora.translate.backends import BackendRef
from remora.translate.proxying import proxying_problems
from remora.translate.references import find_referenced
from remora.translate.sessions import session_problems
from remora.translate.view import View

_HEADER_VALUE = re.compile("[!-~](?:[ -~]*[!-~])?")


def find_cors(parsed: Parsed) -> model.Cors | None:
    """What is allowed to pages of other origins; None if nothing is, or if no origin in the list is one."""
    group = parsed.of(Cors)
    if not group.enabled or not group.allow_origin:
        return None
    return model.Cors(
        origins=None if "*" in group.allow_origin else group.allow_origin,
        methods=group.allow_methods,
        headers=group.allow_headers,
        credentials=group.allow_credentials,
        expose_headers=group.expose_headers,
        max_age=group.max_age,
    )


def find_upstream_host(parsed: Parsed, backend: BackendRef, *, ingress: NamespacedName) -> UpstreamHost | None:
    """The Host that pods are sent; None for the client's own."""
    value = parsed.of(Headers).upstream_vhost
    if not value:
        return None
    names = {
        "namespace": ingress.namespace,
        "ingress_name": ingress.name,
        "service_name": backend.service.name,
        "service_port": str(backend.port),
    }
    text = VARIABLE.sub(lambda found: names.get(_variable(found), found[0]), value)
    client = VARIABLE.search(text)
    if client is None:
        return UpstreamHost(text)
    kind = ClientHost.NAME if _variable(client) == "host" else ClientHost.AS_SENT
    return UpstreamHost(text[: client.start()], kind, text[client.end() :])


def _variable(found: re.Match[str]) -> str:
    return found["plain"] or found["braced"]


def find_forwarded_prefix(parsed: Parsed, *, path: str) -> str:
    """What pods are told of the prefix that a rewrite of the rule's path took away; "" where nothing is rewritten."""
    group = parsed.of(Rewrite)
    return group.x_forwarded_prefix if group.target and group.target != path else ""


def find_response_headers(view: View, parsed: Parsed, *, namespace: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The headers that are set on all answers of an Ingress, by name; or none, and why it must not be served."""
    name = parsed.of(Headers).custom
    if not name:
        return (), ""
    try:
        NamespacedName.parse(name)  # one without a namespace is none, as in ingress-nginx
        config_map, refusal = find_referenced(view, ConfigMap, name, parsed=parsed, namespace=namespace)
    except ValueError as error:
        return (), str(error)
    if config_map is None:
        return (), refusal
    headers = tuple((header, text.strip()) for header, text in sorted((config_map.data or {}).items()))
    for header, text in headers:
        if header not in parsed.of(Headers).allowed:
            return (), f"{header} is not in global-allowed-response-headers of the controller's ConfigMap"
        if not _HEADER_VALUE.fullmatch(text):
            return (), f"the value of {header} is empty or not one line of ASCII"
    return headers, ""


def response_headers_refused(ref: ObjectRef, why: str) -> Problem:
    """What the owner of an Ingress is told whose custom headers are not to be had."""
    message = f"custom-headers cannot be used: {why}"
    consequence = "every path of this Ingress answers 503"
    return Problem(ref, "metadata.annotations", "CustomHeadersUnusable", message, consequence, Severity.ERROR)


def policy_problems(ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """What is wrong in annotations that are well-formed each by itself."""
    yield from session_problems(ref, parsed)
    yield from proxying_problems(ref, parsed)
    group = parsed.of(Cors)
    if group.enabled and not group.allow_origin:
        message = "no origin in cors-allow-origin has a scheme; write https://example.com"
        yield Problem(ref, "metadata.annotations", "CorsWithoutOrigin", message, "no CORS headers are sent")
