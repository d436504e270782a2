"""Whose fault it is that HAProxy did not take a backend's own directives. Pure."""

from collections.abc import Iterable

from remora.core.names import ObjectRef
from remora.core.problem import Problem, Severity
from remora.haproxy.pool import Algorithm, BackendClass
from remora.haproxy.target import Target
from remora.model import ForwardTo, Model, ReplacePath, Route

FIELD = "metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]"


def refused_problems(model: Model, refused: Iterable[str]) -> tuple[Problem, ...]:
    """A Problem for each Ingress one of whose routes uses a refused backend."""
    names = tuple(refused)
    if not names:
        return ()
    problems: dict[Problem, None] = {}
    for host in model.virtual_hosts:
        for route in host.routes:
            if rewrite := _refused_rewrite(route, names):
                message = f"HAProxy does not take the rewrite of {rewrite.pattern!r} to {rewrite.replacement!r}"
                ref = ObjectRef("Ingress", route.origin)
                problems[Problem(ref, FIELD, "RewriteRefused", message, "the path answers 503", Severity.ERROR)] = None
    return tuple(problems)


def _refused_rewrite(route: Route, refused: tuple[str, ...]) -> ReplacePath | None:
    if not isinstance(route.action, ForwardTo) or not isinstance(route.action.rewrite, ReplacePath):
        return None
    backend, rewrite = route.action.backend, route.action.rewrite
    # Which class the backend is of is decided elsewhere; its name begins with the backend and ends with the rewrite.
    ending = Target(backend, BackendClass(Algorithm.SPREAD), rewrite).name.rpartition(":")[2]
    return rewrite if any(name.startswith(f"{backend}:") and name.endswith(f":{ending}") for name in refused) else None
