"""Headers to pods and clients (behaviour reference, part A, section 10)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Support, annotation, global_setting
from remora.annotations.values import ValueRefused, basic, choice, comma_list, shown, trimmed

CLIENT_HOSTS = ("host", "http_host", "best_http_host")
OBJECT_NAMES = ("namespace", "ingress_name", "service_name", "service_port")
VARIABLE = re.compile(r"\$(?:(?P<plain>[a-z_]+)|\{(?P<braced>[a-z_]+)\})")
"""A variable of nginx: `$name` or `${name}`."""


def host_with_variables(text: str) -> str:
    """A host, with or without a port, in which variables of nginx stand for the client's host or for names of objects."""
    value = trimmed(text)
    names = [found["plain"] or found["braced"] for found in VARIABLE.finditer(value)]
    unknown = [name for name in names if name not in (*CLIENT_HOSTS, *OBJECT_NAMES)]
    if unknown:
        known = ", ".join(f"${name}" for name in (*CLIENT_HOSTS, *OBJECT_NAMES))
        raise ValueRefused(f"{shown(value)} has the variable ${unknown[0]}; known are {known}")
    if sum(name in CLIENT_HOSTS for name in names) > 1:
        raise ValueRefused(f"{shown(value)} has the client's host more than once")
    if not re.fullmatch(r"[A-Za-z0-9._:\[\]-]*", VARIABLE.sub("x", value)):
        raise ValueRefused(f"{shown(value)} is not a host of letters, digits and . _ - : and variables")
    return value


def header_names(text: str) -> tuple[str, ...]:
    """Names of headers between commas."""
    names = comma_list(text)
    for name in names:
        if not re.fullmatch("[A-Za-z0-9_-]+", name):
            raise ValueRefused(f"{shown(name)} is not the name of a header")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers that are set on the way."""

    upstream_vhost: str = annotation(
        "upstream-vhost",
        host_with_variables,
        default="",
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="Of nginx's variables it knows `$host`, `$http_host` and `$best_http_host` (one of them, once), `$namespace`, "
        "`$ingress_name`, `$service_name` and `$service_port`; a value with another one is refused.",
        doc="The Host header sent to the pod, such as `$service_name.$namespace.svc`.",
        accepts=("internal.example:8080", "$service_name.$namespace.svc", "a-${host}.example", "[::1]"),
        refuses=("$request_uri", "a b", "$host.$http_host", "a|b", "a\nb", ""),
        haproxy=("http-request set-header",),
    )
    custom: str = annotation(
        "custom-headers",
        basic,
        default="",
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="A ConfigMap of another namespace needs `allow-cross-namespace-resources`, as Secrets do.",
        doc="The ConfigMap `namespace/name` whose data are set as headers on all answers; the controller's ConfigMap must "
        "allow their names in `global-allowed-response-headers`.",
        accepts=("default/custom-headers",),
        refuses=("a b/c", "$namespace/x"),
        haproxy=("http-after-response set-header",),
    )
    allowed: tuple[str, ...] = global_setting(
        "global-allowed-response-headers",
        header_names,
        default=(),
        doc="The headers that `custom-headers` may set, case-sensitively. A change is a reload.",
    )
    connection: str = annotation(
        "connection-proxy-header",
        choice("close", "keep-alive"),
        default="keep-alive",
        support=Support.PARTIAL,
        differs="`close` gives each request a connection of its own; WebSockets go on as usual. `keep-alive` is what HAProxy "
        "does anyway, without the header.",
        doc="The Connection header sent to the pod.",
        accepts=("close", "keep-alive"),
        refuses=("upgrade", "a b", "close\nX: 1"),
        haproxy=("http-request set-header",),
    )
