"""What a route is called in metrics and logs."""

import msgspec

from remora.model import Backend, BackendName, ExactPath, ForwardTo, Model, PrefixPath, RegexPath, Route, RouteId

UNKNOWN = ""
"""The label value for what no route of the present Model stands for."""


class RequestLabels(msgspec.Struct, frozen=True):
    """What a route is called. `upstream` is `namespace-service-port`, `canary` the same of the canary that a request of a
    route's canary went to."""

    namespace: str = UNKNOWN
    ingress: str = UNKNOWN
    host: str = UNKNOWN
    path: str = UNKNOWN
    service: str = UNKNOWN
    port: str = UNKNOWN
    upstream: str = UNKNOWN
    canary: str = UNKNOWN
    is_logged: bool = True
    span_name: str = UNKNOWN


def labels_of_requests(model: Model) -> dict[RouteId, RequestLabels]:
    """The labels of every route of the Model. A canary's are those of the route, and its own upstream."""
    backends = {backend.name: backend for backend in model.backends}
    found: dict[RouteId, RequestLabels] = {}
    for host in model.virtual_hosts:
        for route in host.routes:
            labels = _labels(route, host.host, backends)
            found[route.id] = labels
            if route.canary:
                name = _upstream(route.canary.action.backend)
                found[route.canary.id] = msgspec.structs.replace(labels, canary=name)
    return found


def _labels(route: Route, host: str, backends: dict[BackendName, Backend]) -> RequestLabels:
    service = port = upstream = UNKNOWN
    if isinstance(route.action, ForwardTo):
        upstream = _upstream(route.action.backend)
        backend = backends.get(route.action.backend)
        service = backend.origin.name if backend else UNKNOWN
        # Names of services and of ports may both have dashes.
        port = upstream.removeprefix(f"{backend.origin.namespace}-{service}-") if backend else UNKNOWN
    return RequestLabels(
        route.origin.namespace,
        route.origin.name,
        host,
        path_of(route),
        service,
        port,
        upstream,
        is_logged=route.is_logged,
        span_name=route.tracing.name if route.tracing else UNKNOWN,
    )


def _upstream(name: BackendName) -> str:
    return name.partition("@")[0]


def path_of(route: Route) -> str:
    """A route's path as a person would write it."""
    match route.match:
        case ExactPath(path=path):
            return path
        case PrefixPath(path=path):
            return path or "/"
        case RegexPath(pattern=pattern):
            return pattern
