"""Checks of Ingresses (networking.k8s.io/v1)."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from remora.cluster.api.errors import Cause, invalid_value, required, unsupported
from remora.cluster.api.names import wrong_with_label_1035, wrong_with_subdomain
from remora.cluster.api.validation.fields import Object, check_port, listed

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")
_WILDCARD = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def check_ingress(ingress: Object) -> Iterator[Cause]:
    spec = ingress.get("spec") or {}
    default = spec.get("defaultBackend")
    if not spec.get("rules") and not default:
        yield invalid_value("spec", spec or None, "either `defaultBackend` or `rules` must be specified")
    for index, tls in listed(spec, "tls"):
        for position, host in enumerate(tls.get("hosts") or ()):
            yield from _check_host(host, f"spec.tls[{index}].hosts[{position}]")
    for index, rule in listed(spec, "rules"):
        yield from _check_rule(rule, f"spec.rules[{index}]")
    if default:
        yield from _check_backend(default, "spec.defaultBackend")
    name = spec.get("ingressClassName")
    if name is not None:
        yield from (invalid_value("spec.ingressClassName", name, wrong) for wrong in wrong_with_subdomain(name))


def _check_rule(rule: Object, field: str) -> Iterator[Cause]:
    host = rule.get("host") or ""
    if host and _is_address(host):
        yield invalid_value(f"{field}.host", host, "must be a DNS name, not an IP address")
    elif host:
        yield from _check_host(host, f"{field}.host")
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        yield required(f"{field}.http.paths")
    for index, path in listed(http, "paths"):
        yield from _check_path(path, f"{field}.http.paths[{index}]")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _check_host(host: str, field: str) -> Iterator[Cause]:
    if "*" in host:
        if not re.fullmatch(_WILDCARD, host):
            detail = (
                "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
                "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', "
                f"regex used for validation is '{_WILDCARD}')"
            )
            yield invalid_value(field, host, detail)
    else:
        yield from (invalid_value(field, host, wrong) for wrong in wrong_with_subdomain(host))


def _check_path(entry: Object, field: str) -> Iterator[Cause]:
    path, path_type = str(entry.get("path") or ""), entry.get("pathType")
    if path_type is None:
        yield required(f"{field}.pathType", "pathType must be specified")
    elif path_type == "ImplementationSpecific":
        if path and not path.startswith("/"):
            yield invalid_value(f"{field}.path", path, "must be an absolute path")
    elif path_type in _PATH_TYPES:
        yield from _check_exact_path(path, f"{field}.path")
    else:
        yield unsupported(f"{field}.pathType", path_type, _PATH_TYPES)
    yield from _check_backend(entry.get("backend") or {}, f"{field}.backend")


def _check_exact_path(path: str, field: str) -> Iterator[Cause]:
    if not path.startswith("/"):
        yield invalid_value(field, path, "must be an absolute path")
    yield from (invalid_value(field, path, f"must not contain '{found}'") for found in _NOT_IN_PATHS if found in path)
    yield from (invalid_value(field, path, f"cannot end with '{found}'") for found in _NOT_AT_THE_END if path.endswith(found))


def _check_backend(backend: Object, field: str) -> Iterator[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service and resource:
        yield invalid_value(field, "", "cannot set both resource and service backends")
    elif service:
        yield from _check_service_backend(service, field)
    elif not resource:
        yield required(field, "must specify a service or a resource as a backend")


def _check_service_backend(service: Object, field: str) -> Iterator[Cause]:
    name = str(service.get("name") or "")
    if not name:
        yield required(f"{field}.service.name")
    else:
        yield from (invalid_value(f"{field}.service.name", name, wrong) for wrong in wrong_with_label_1035(name))
    port = service.get("port") or {}
    number, port_name = port.get("number") or 0, port.get("name") or ""
    if number and port_name:
        yield invalid_value(field, "", "cannot set both port name & port number")
    elif number:
        yield from check_port(number, f"{field}.service.port.number")
    elif port_name:
        yield from _check_port_name(port_name, f"{field}.service.port.name")
    else:
        yield required(field, "port name or number is required")


def _check_port_name(name: str, field: str) -> Iterator[Cause]:
    """IANA service names: up to 15 lower-case letters, digits and dashes, with a letter (`IsValidPortName`)."""
    if len(name) > 15:
        yield invalid_value(field, name, "must be no more than 15 characters")
    if not re.fullmatch("[-a-z0-9]+", name):
        yield invalid_value(field, name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        yield invalid_value(field, name, "must contain at least one letter (a-z)")
    if "--" in name:
        yield invalid_value(field, name, "must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        yield invalid_value(field, name, "must not begin or end with a hyphen")
