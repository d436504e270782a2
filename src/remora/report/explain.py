"""Why a request goes where it goes: the result of `remora explain`. Pure.

It follows the controller's own stages (snapshot, translation, Model) and then does what the data plane does with one request.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

import msgspec

from remora.core.names import Hostname
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Server, configure
from remora.haproxy.frontends import REFUSED_METHODS
from remora.model import (
    PLAIN_UPSTREAM,
    Backend,
    BackendName,
    EndpointState,
    ExactPath,
    ForwardTo,
    Learning,
    Model,
    NotFound,
    PathMatch,
    PrefixPath,
    RedirectTo,
    RegexPath,
    Route,
    Unavailable,
    VirtualHost,
)
from remora.report.access_words import access_words
from remora.report.canaries import Side, decide
from remora.report.client_tls import client_refusal
from remora.report.learned import place_learned, session_name
from remora.report.lifetimes import Judge
from remora.report.losers import Loser, losers
from remora.report.search import Found, Taker, find_route
from remora.report.sessions import place, session_value
from remora.report.snippet_words import step_words
from remora.report.words import match_words, struct_words
from remora.translate import Translation
from remora.watch.snapshot import Snapshot


class Request(msgspec.Struct, frozen=True):
    """A request as it reaches the proxy. `path` is percent-encoded; names of headers are in lower case."""

    scheme: str
    host: str
    path: str = "/"
    query: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = {}
    cookies: str = ""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}{self.query and '?'}{self.query}"


class Pod(msgspec.Struct, frozen=True):
    """An endpoint of the backend. `key` is what a session names it by, "" where that is unknown."""

    name: str
    address: str
    state: str
    key: str
    chosen: bool


class RouteLine(msgspec.Struct, frozen=True):
    """A route in words. `host` is `*` for any."""

    id: str
    host: str
    match: str
    ingress: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a request, step by step; a step that there was not is empty."""

    request: str
    host: str
    path: str
    answer: str
    route: RouteLine | None = None
    canary: str = ""
    policies: tuple[str, ...] = ()
    backend: str = ""
    cookie: str = ""
    session: str = ""
    pods: tuple[Pod, ...] = ()
    losers: tuple[Loser, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def explain(
    snapshot: Snapshot, translation: Translation, request: Request, *, has_key: bool, judge: Judge | None = None
) -> Explanation:
    """The way of one request. Without the session key (`has_key`) it is unknown which pod a session names, and without a
    judge whether its lifetime is over."""
    model = translation.model
    found = find_route(model, request.host, request.path)
    said = Explanation(
        request=f"{request.method} {request.url}",
        host=_host_words(found),
        path=found.path,
        answer=_plain_answer(found),
        losers=tuple(losers(snapshot, translation, found)),
        notes=tuple(f"pattern {pattern} is tried before and cannot be tried here" for pattern in found.undecided),
    )
    if request.method in REFUSED_METHODS:
        return _answered(said, f"405: {request.method} is answered so on every path")
    if found.taker is not Taker.REFUSED and (refusal := _too_large(model, found.route, request)):
        return _answered(said, refusal)
    if found.taker is Taker.DEFAULT_BACKEND and model.default_backend:
        return _through_backend(said, model, ForwardTo(model.default_backend), request, has_key=has_key, judge=judge)
    if found.route is None or found.virtual_host is None:
        return said
    return _along_route(said, translation, found.virtual_host, found.route, request, has_key=has_key, judge=judge)


def _too_large(model: Model, route: Route | None, request: Request) -> str:
    """Why the request's body is refused, before anything else is done; "" if it is not."""
    own = route.body_limit if route else None
    limit = model.options.proxy_body_size if own is None else own
    length = request.headers.get("content-length", "")
    is_larger = length.isascii() and length.isdigit() and 0 < limit < int(length)
    return f"413: a body of {length} bytes, and proxy-body-size is {limit}" if is_larger else ""


def _along_route(
    said: Explanation,
    translation: Translation,
    host: VirtualHost,
    route: Route,
    request: Request,
    *,
    has_key: bool,
    judge: Judge | None,
) -> Explanation:
    taken, canary = _with_canary(translation.model, host, route, request)
    line = RouteLine(route.id, host.host or "*", match_words(route.match), f"{taken.origin}")
    problems = tuple(str(one) for one in translation.problems if one.object.name == taken.origin)
    said = msgspec.structs.replace(said, route=line, canary=canary, policies=tuple(policies(taken)), problems=problems)
    if refusal := client_refusal(taken, scheme=request.scheme):
        return _answered(said, refusal)
    if request.scheme == "http" and taken.https_redirect:
        return _answered(said, f"a redirect to https: {struct_words(taken.https_redirect)}")
    match taken.action:
        case RedirectTo() as redirect:
            return _answered(said, f"{redirect.status} to {_there(redirect)}")
        case Unavailable():
            return _answered(said, "503: the route is closed; the problems of its Ingress say why")
        case NotFound():
            why = "its service has no endpoints, custom-http-errors lists 503, and there is no default backend"
            return _answered(said, f"a plain 404: {why}")
        case ForwardTo() as action:
            action = _by_scheme(action, request.scheme)
            return _through_backend(
                said, translation.model, action, request, has_key=has_key, judge=judge, host=host, route=taken
            )
        case _:
            return _answered(said, struct_words(taken.action))


def _with_canary(model: Model, host: VirtualHost, route: Route, request: Request) -> tuple[Route, str]:
    """The route that counts, its canary's if the request goes there, and what decided."""
    canary, other = route.canary, route.canary_route
    if canary is None or other is None:
        return route, ""
    backend = _find_backend(model, canary.action.backend)
    servers = _servers(backend, canary.action, host, other) if backend else ()
    decision = decide(route, canary, headers=request.headers, cookies=request.cookies, servers=servers)
    name = f"Ingress {canary.origin}"
    match decision.side:
        case Side.CANARY:
            return other, f"to the canary of {name}: {decision.reason}"
        case Side.MAIN:
            return route, f"not to the canary of {name}: {decision.reason}"
        case Side.CHANCE:
            return route, f"by chance, below for those that do not go to the canary of {name}: {decision.reason}"


def _through_backend(
    said: Explanation,
    model: Model,
    action: ForwardTo,
    request: Request,
    *,
    has_key: bool,
    judge: Judge | None,
    host: VirtualHost | None = None,
    route: Route | None = None,
) -> Explanation:
    backend = _find_backend(model, action.backend)
    if backend is None:
        return _answered(said, "503: its backend has no endpoints")
    servers = _servers(backend, action, host, route)
    placement = place(action.affinity, request.cookies, servers, backend.balancing, judge)
    if action.learning and servers:
        placement = place_learned(action.learning, _session_name(action.learning, request), placement)
    value = _value(action, request, servers)
    is_hidden = not has_key and value is not None and bool(servers)
    chosen = None if is_hidden else placement.server
    reason = "unknown here without the session key" if is_hidden else placement.reason
    pods = tuple(_pod(backend, server, is_chosen=server.name == chosen, has_key=has_key) for server in servers)
    cookie = f"{action.affinity.cookie_name}={value or ''}" if action.affinity else ""
    affinity = action.affinity
    return msgspec.structs.replace(
        said,
        answer=_pod_answer(pods, reason),
        backend=f"{backend.name} ({_count_words(backend, len(pods))}{_spoken(backend)})",
        cookie=cookie if affinity and value is not None else f"no {affinity.cookie_name}" if affinity else "",
        session=f"{affinity.mode.value}: {reason}" if affinity else reason,
        pods=pods,
    )


def _session_name(learning: Learning, request: Request) -> str:
    return session_name(learning, path=request.path, query=request.query, cookies=request.cookies, headers=request.headers)


def _count_words(backend: Backend, count: int) -> str:
    """`2 pods`, `one address of db.example.com`."""
    if backend.external_name:
        return f"{'one address' if count == 1 else f'{count} addresses'} of {backend.external_name}"
    return "one pod" if count == 1 else f"{count} pods"


def _by_scheme(action: ForwardTo, scheme: str) -> ForwardTo:
    """The action as it is for requests of the scheme."""
    if action.over_http is None:
        return action
    return msgspec.structs.replace(action, backend=action.over_http if scheme == "http" else action.backend, over_http=None)


def _spoken(backend: Backend) -> str:
    """How its pods are spoken to; "" for the usual way."""
    tls = backend.upstream.tls
    verified = f", verified as {tls.name or 'of the authority'}" if tls and tls.verifies else ", not verified" if tls else ""
    words = f"{backend.upstream.protocol.value}{' over TLS' * (tls is not None)}{verified}"
    return f", by {words}" if backend.upstream != PLAIN_UPSTREAM else ""


def _servers(backend: Backend, action: ForwardTo, host: VirtualHost | None, route: Route | None) -> tuple[Server, ...]:
    """The backend's servers as HAProxy has them for this route."""
    action = msgspec.structs.replace(action, over_http=None)
    alone = {"action": action, "canary": None, "error_pages": None, "external_auth": None}
    routes = (msgspec.structs.replace(route, **alone),) if route and host else ()
    hosts = (VirtualHost(host.host, routes),) if host else ()
    small = Model(hosts, (backend,), default_backend=None if host else backend.name)
    made = configure(small, ProxySettings(state_directory="/"))
    return next(iter(made.backends.values())).servers


def _find_backend(model: Model, name: BackendName) -> Backend | None:
    return next((backend for backend in model.backends if backend.name == name), None)


def _value(action: ForwardTo, request: Request, servers: Sequence[Server]) -> str | None:
    return session_value(action.affinity, request.cookies, servers) if action.affinity else None


def _pod(backend: Backend, server: Server, *, is_chosen: bool, has_key: bool) -> Pod:
    endpoint = next(one for one in backend.endpoints if one.key == server.name)
    address = f"[{server.address}]:{server.port}" if ":" in server.address else f"{server.address}:{server.port}"
    return Pod(endpoint.pod or "-", address, endpoint.state.value, server.name if has_key else "", is_chosen)


def _pod_answer(pods: Sequence[Pod], reason: str) -> str:
    chosen = next((pod for pod in pods if pod.chosen), None)
    if chosen:
        return f"pod {chosen.name} at {chosen.address}"
    active = [pod for pod in pods if pod.state == EndpointState.ACTIVE.value]
    if not active:
        return "503: no pod takes requests"
    if len(active) == 1 and "unknown" not in reason:
        return f"pod {active[0].name} at {active[0].address}"
    return f"one of {len(active)} pods"


def _answered(said: Explanation, answer: str) -> Explanation:
    return msgspec.structs.replace(said, answer=answer)


def _plain_answer(found: Found) -> str:
    match found.taker:
        case Taker.REFUSED:
            return f"400: {found.reason}"
        case Taker.NOT_FOUND:
            return "404 of the default backend: no route takes it"
        case Taker.HEALTHZ:
            return "200: the health check of hosts that have no /healthz of their own"
        case Taker.DEFAULT_BACKEND:
            return "the default backend"
        case Taker.ROUTE:
            return ""
        case _:
            assert_never(found.taker)


def _host_words(found: Found) -> str:
    name = found.virtual_host.host if found.virtual_host else None
    if found.taker is Taker.REFUSED:
        return found.host
    if name is None or name == found.host:
        return found.host if name is not None else f"{found.host} (no rule is for it)"
    return f"{found.host} (by the rules for {name or 'any host'})"


_TOLD_ELSEWHERE = ("id", "match", "action", "origin", "canary", "https_redirect", "snippet", "access")


def policies(route: Route) -> Iterator[str]:
    """What is done to a route's requests beside sending them somewhere."""
    if route.https_redirect:
        yield f"http is sent to https: {struct_words(route.https_redirect)}"
    yield from access_words(route.access)
    yield from _settings(route, _TOLD_ELSEWHERE)
    for step in route.snippet:
        yield from (f"snippet: {line}" for line in step_words(step))
    if isinstance(route.action, ForwardTo):
        yield from _settings(route.action, ("backend",))


def _settings(struct: msgspec.Struct, left_out: tuple[str, ...]) -> Iterator[str]:
    """The fields that are not as usual; one that a later feature adds is told without another word here."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name not in left_out and value != field.default:
            yield f"{field.name.replace('_', ' ')}: {struct_words(value)}"


class RouteRow(msgspec.Struct, frozen=True):
    """A line of the table of routes. `pods` counts those that take new sessions."""

    host: str
    match: str
    ingress: str
    target: str
    pods: int | None
    session: str
    policies: tuple[str, ...]
    id: str


def route_rows(model: Model, host: str = "") -> Iterator[RouteRow]:
    """The routes of all hosts, or of one, each host's in the order in which they are tried."""
    endpoints = {backend.name: backend.endpoints for backend in model.backends}
    for virtual_host in model.virtual_hosts:
        if host and virtual_host.host != Hostname("" if host == "*" else host.lower()):
            continue
        for route in sorted(virtual_host.routes, key=_precedence):
            for one in (route, route.canary_route):
                if one is not None:
                    yield _row(virtual_host, one, endpoints, is_canary=one is not route)


def _row(host: VirtualHost, route: Route, endpoints: Mapping[BackendName, Sequence[Any]], *, is_canary: bool) -> RouteRow:
    action = route.action
    pods, session = None, ""
    match action:
        case ForwardTo(backend=backend, affinity=affinity):
            target = f"{backend}{' (canary)' if is_canary else ''}"
            pods = sum(1 for one in endpoints.get(backend, ()) if one.state is EndpointState.ACTIVE)
            session = f"{affinity.cookie_name}, {affinity.mode.value}" if affinity else ""
        case RedirectTo() as redirect:
            target = f"{redirect.status} {_there(redirect)}"
        case Unavailable():
            target = "503, closed"
        case NotFound():
            target = "404, no endpoints"
        case _:
            target = struct_words(action)
    return RouteRow(
        host.host or "*", match_words(route.match), str(route.origin), target, pods, session, tuple(policies(route)), route.id
    )


def _there(redirect: RedirectTo) -> str:
    """Where a redirect leads."""
    if redirect.rewrite is None:
        return redirect.location
    return f"{redirect.location} with the path that is made of this one ({struct_words(redirect.rewrite)}) and the query"


def _precedence(route: Route) -> tuple[int, int]:
    """Of plain paths the longest first, and an exact one before a prefix of the same text; patterns stay in their order."""
    match: PathMatch = route.match
    match match:
        case ExactPath(path=path):
            return -len(path), 0
        case PrefixPath(path=path):
            return -len(path), 1
        case RegexPath():
            return 0, 0
        case _:
            assert_never(match)
