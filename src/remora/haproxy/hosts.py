"""One virtual host as map entries: the unit in which routes are configured."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

import msgspec

from remora.core.names import ANY_HOST, Hostname
from remora.haproxy.features import (
    access,
    client_tls,
    error_pages,
    external_auth,
    proxying,
    redirect,
    retries,
    session_cookie,
    streams,
)
from remora.haproxy.features.counting import UNROUTED
from remora.haproxy.fixed_backends import HEALTHZ_BACKEND, NOT_FOUND_BACKEND, UNAVAILABLE_BACKEND
from remora.haproxy.maps import (
    ANY_HOST_KEY,
    DEFAULT_ROUTE_KEY,
    HostKind,
    Map,
    RouteRecord,
    exact_key,
    prefix_key,
    regex_key,
)
from remora.haproxy.pool import Algorithm, BackendClass
from remora.haproxy.target import Target
from remora.haproxy.texts import host_texts
from remora.model import (
    AffinityMode,
    Balancing,
    ErrorPages,
    ExactPath,
    ExternalAuth,
    ForwardTo,
    HttpsRedirect,
    NotFound,
    PrefixPath,
    RedirectTo,
    RedirectToHost,
    RegexPath,
    Route,
    Unavailable,
    VirtualHost,
)

_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{)")
_LITERAL = re.compile(r"[A-Za-z0-9/_~-]*")
_BELOW = "(/|$)(.*)"
"""How people write "this path and all below it" as a regular expression."""


class HostPart(msgspec.Struct, frozen=True):
    """The map entries of one host. No two hosts have a key in common.

    `texts` holds the maps whose values are plain text; `regex_routes` has an order; `canary_routes` has the records of
    canaries by the id of the route that they are canaries of, `error_routes` those of default backends by the id of the route
    for whose errors they have pages, `auth_routes` those of the services that are asked whether its requests may pass.
    """

    routes: Mapping[str, RouteRecord] = {}
    folded_routes: Mapping[str, RouteRecord] = {}
    regex_routes: tuple[tuple[str, RouteRecord], ...] = ()
    texts: Mapping[Map, Mapping[str, str]] = {}
    canary_routes: Mapping[str, RouteRecord] = {}
    error_routes: Mapping[str, RouteRecord] = {}
    auth_routes: Mapping[str, RouteRecord] = {}


NOTHING = HostPart()
"""The part of a host that there is not."""


def configure_host(host: VirtualHost) -> HostPart:
    """The entries for all routes of the host."""
    routes = host.all_routes
    records = {route.id: _record(route) for route in host.routes}
    plain = [route for route in host.routes if not isinstance(route.match, RegexPath)]
    patterns = [(route.match.pattern, records[route.id]) for route in host.routes if isinstance(route.match, RegexPath)]
    folded = folded_keys(host.host, [pattern for pattern, _ in patterns]) if patterns else ()
    kind = HostKind.PLAIN if not patterns else _regex_kind(patterns) if folded is None else HostKind.FOLDED
    texts = {Map.HOSTS: {host.host or ANY_HOST_KEY: kind.value}, **host_texts(host, routes)}
    return HostPart(
        routes={_plain_key(host.host, route.match): records[route.id] for route in plain},
        folded_routes=dict(zip(folded, (record for _, record in patterns), strict=True)) if folded is not None else {},
        regex_routes=tuple((regex_key(host.host, text), record) for text, record in patterns) if folded is None else (),
        texts=texts,
        canary_routes={route.id: _record(other) for route in host.routes if (other := route.canary_route)},
        error_routes={route.id: RouteRecord(name, name, route.id) for route, name in _error_routes(routes)},
        auth_routes={route.id: RouteRecord(name, name, route.id) for route, name in _auth_routes(routes)},
    )


def _regex_kind(patterns: Sequence[tuple[str, RouteRecord]]) -> HostKind:
    return HostKind.REPEATING if any(_REPEATED_GROUP.search(pattern) for pattern, _ in patterns) else HostKind.REGEX


def targets(host: VirtualHost) -> frozenset[Target]:
    """The backends that the host's routes need."""
    routes = host.all_routes
    wanted = {_target(route, route.action) for route in routes if isinstance(route.action, ForwardTo)}
    wanted |= {plain for route in routes if (plain := _plain_target(route))}
    wanted |= {streams.stream_target(host.passthrough)} if host.passthrough else set()
    wanted |= {_auth_target(auth) for _, auth in _asking(routes)}
    return frozenset(wanted | {_error_target(pages) for route in routes if (pages := error_pages.find_fetched(route))})


def _asking(routes: tuple[Route, ...]) -> Iterator[tuple[Route, ExternalAuth]]:
    """The routes that ask another service whether a request may pass, and what."""
    for route in routes:
        if route.external_auth and isinstance(route.action, ForwardTo):
            yield route, route.external_auth


def _auth_target(auth: ExternalAuth) -> Target:
    return Target(auth.backend, BackendClass(Algorithm.SPREAD))


def _auth_routes(routes: tuple[Route, ...]) -> Iterator[tuple[Route, str]]:
    return ((route, _auth_target(auth).name) for route, auth in _asking(routes))


def _error_routes(routes: tuple[Route, ...]) -> Iterator[tuple[Route, str]]:
    """The routes for which a default backend has pages, and what it is called."""
    for route in routes:
        if pages := error_pages.find_fetched(route):
            yield route, _error_target(pages).name


def _error_target(pages: ErrorPages) -> Target:
    """The default backend as it is asked for pages."""
    assert pages.backend is not None
    return Target(pages.backend, BackendClass(Algorithm.SPREAD))


def fixed_part(any_host: HostPart, default_backend: str | None) -> HostPart:
    """What is there without any host: the health check of unknown hosts, unless an Ingress for any host takes it, and the
    default backend."""
    healthz = {prefix_key(ANY_HOST, "/healthz"): RouteRecord(HEALTHZ_BACKEND, HEALTHZ_BACKEND, UNROUTED)}
    routes = {key: record for key, record in healthz.items() if key not in any_host.routes}
    if default_backend is not None:
        routes[DEFAULT_ROUTE_KEY] = RouteRecord(default_backend, default_backend, UNROUTED)
    hosts = {} if any_host.texts.get(Map.HOSTS) else {ANY_HOST_KEY: HostKind.PLAIN.value}
    return HostPart(routes=routes, texts={Map.HOSTS: hosts} if hosts else {})


def folded_keys(host: Hostname, patterns: Sequence[str]) -> tuple[str, ...] | None:
    """The keys under which a longest match over lower-case text finds the pattern that is the first to match.

    None if some pattern is more than a literal prefix, or if a shorter one stands before a longer one that it hides.
    """
    keys = tuple(_folded_keys(host, patterns))
    if len(keys) != len(patterns) or len(set(keys)) != len(keys):
        return None
    position = {key: number for number, key in enumerate(keys)}
    # Of sorted texts a prefix stands before what it begins, with only others that it begins in between.
    open_prefixes: list[str] = []
    for key in sorted(keys):
        while open_prefixes and not key.startswith(open_prefixes[-1]):
            open_prefixes.pop()
        if any(position[prefix] < position[key] for prefix in open_prefixes):
            return None
        open_prefixes.append(key)
    return keys


def _folded_keys(host: Hostname, patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        literal = pattern.removesuffix(_BELOW)
        # A request is looked up with a slash at its end, so `/a/` alone would be found for `/a` as well.
        is_below_only = literal == pattern != "/" and pattern.endswith("/")
        if _LITERAL.fullmatch(literal) and not is_below_only:
            key = prefix_key(host, literal.lower())
            yield key if literal != pattern else key.removesuffix("/") or key
        elif pattern in ("/(.*)", "/.*"):
            yield prefix_key(host, "")


def _plain_key(host: Hostname, match: ExactPath | PrefixPath | RegexPath) -> str:
    match match:
        case ExactPath(path=path):
            return exact_key(host, path)
        case PrefixPath(path=path):
            return prefix_key(host, path)
        case RegexPath():
            raise AssertionError("a host in regular-expression mode has no plain routes")
        case _:
            assert_never(match)


def _record(route: Route) -> RouteRecord:
    match route.action:
        case ForwardTo(affinity=affinity) as action:
            name = _target(route, action).name
            cookie_name = affinity.cookie_name if affinity else ""
            reads_agent = bool(affinity and affinity.attributes.omit_same_site_for_old_browsers)
        case RedirectTo() as action if action.rewrite is not None:
            name, cookie_name, reads_agent = redirect.REWRITTEN_BACKEND, "", False
        case RedirectTo(status=status):
            name, cookie_name, reads_agent = redirect.redirect_backend(status, rich=_has_policy(route)), "", False
        case RedirectToHost(status=status):
            name, cookie_name, reads_agent = redirect.to_host_backend(status, rich=_has_policy(route)), "", False
        case Unavailable():
            name, cookie_name, reads_agent = UNAVAILABLE_BACKEND, "", False
        case NotFound():
            name, cookie_name, reads_agent = NOT_FOUND_BACKEND, "", False
        case _:
            assert_never(route.action)
    to_https = route.https_redirect
    plain = _plain_target(route)
    over_http = plain.name if plain else name
    if to_https:
        over_http = redirect.to_https_backend(to_https.status, rich=_looks_up_https(route, to_https))
    return RouteRecord(name, over_http, route.id, cookie_name, reads_agent, has_canary=route.canary is not None)


def _has_policy(route: Route) -> bool:
    """Whether the route needs the policy rules whatever is done with its requests."""
    return route.cors is not None or bool(route.response_headers or route.snippet)


def _is_guarded(route: Route) -> bool:
    """Whether something keeps requests out or holds them back."""
    is_mirrored = isinstance(route.action, ForwardTo) and route.action.mirror is not None
    asks = access.is_wanted(route) or client_tls.is_wanted(route) or external_auth.is_wanted(route)
    return route.limits is not None or asks or is_mirrored


def _looks_up_https(route: Route, redirected: HttpsRedirect) -> bool:
    return _has_policy(route) or bool(redirect.https_entry(redirected))


def _target(route: Route, action: ForwardTo) -> Target:
    agent = bool(action.affinity and action.affinity.attributes.omit_same_site_for_old_browsers)
    is_shaped = bool(action.rewrite or action.upstream_host or action.forwarded_prefix or route.cors or route.response_headers)
    sessions = bool(action.learning or (action.affinity and session_cookie.is_wanted(action.affinity)))
    guarded = _is_guarded(route)
    has_more = agent or sessions or guarded or route.tracing is not None or bool(route.snippet)
    has_more |= error_pages.is_wanted(route) or proxying.is_wanted(action)
    kind = BackendClass(_algorithm(action), is_shaped or has_more, sessions, guarded, shaped=is_shaped and not has_more)
    return Target(action.backend, kind, tuple(retries.dedicated_rules(action.retries)))


def _plain_target(route: Route) -> Target | None:
    """The backend for requests that came by HTTP, where it is another and not all of them are sent to HTTPS."""
    action = route.action
    if not isinstance(action, ForwardTo) or action.over_http is None or route.https_redirect:
        return None
    return msgspec.structs.replace(_target(route, action), backend=action.over_http)


def _algorithm(action: ForwardTo) -> Algorithm:
    if action.affinity is not None:
        return Algorithm.PERSISTENT if action.affinity.mode is AffinityMode.PERSISTENT else Algorithm.BALANCED
    if action.hash_by is not None:
        return Algorithm.HASHED
    return Algorithm.LEAST if action.balancing is Balancing.LEAST_CONNECTIONS else Algorithm.SPREAD
