"""Whose fault it is that HAProxy did not take a backend's own directives. Pure."""

from collections.abc import Iterable

from remora.core.names import ObjectRef
from remora.core.problem import Problem, Severity
from remora.haproxy.features.streams import port_key
from remora.haproxy.hosts import targets
from remora.model import Model, VirtualHost


def refused_problems(model: Model, refused: Iterable[str]) -> tuple[Problem, ...]:
    """A Problem for each Ingress one of whose routes uses a refused backend."""
    names = frozenset(refused)
    if not names:
        return ()
    problems: dict[Problem, None] = {}
    for service in model.tcp_services:
        if port_key(service.port) in names:
            ref = ObjectRef("ConfigMap", service.origin)
            message = f"port {service.port} cannot be listened on: it is in use, or not allowed"
            consequence = "the port is not opened"
            field = f"data[{service.port}]"
            problems[Problem(ref, field, "PortRefused", message, consequence, Severity.ERROR)] = None
    for host in model.virtual_hosts:
        for route in host.routes:
            if any(target.name in names for target in targets(VirtualHost(host.host, (route,)))):
                ref = ObjectRef("Ingress", route.origin)
                message = "HAProxy does not take the directives that its annotations lead to"
                problem = Problem(
                    ref, "metadata.annotations", "BackendRefused", message, "the path answers 503", Severity.ERROR
                )
                problems[problem] = None
    return tuple(problems)
