"""What the policies of a host's routes say, as entries of the maps of plain text.

Most routes have few policies. So each is asked for what it has, and not every map for every route.
"""

from collections.abc import Iterator, Mapping

from remora.haproxy.features import (
    access,
    body_size,
    canary,
    client_tls,
    cors,
    error_pages,
    external_auth,
    hashing,
    learning,
    limits,
    mirror,
    passwords,
    placement,
    proxying,
    redirect,
    response_headers,
    rewrite,
    session_cookie,
    tracing,
    upstream_headers,
)
from remora.haproxy.maps import Map
from remora.model import Affinity, ForwardTo, RedirectTo, RedirectToHost, Route, VirtualHost
from remora.snippets.written import common_entries, snippet_entry

Entries = Mapping[str, str]
Texts = Iterator[tuple[Map, Entries]]


def host_texts(host: VirtualHost, routes: tuple[Route, ...]) -> dict[Map, Entries]:
    """The entries of all `routes` of the host, those of canaries among them; no map without any."""
    texts: dict[Map, dict[str, str]] = {}
    for route in routes:
        for name, entries in _of_route(route):
            if entries:
                texts.setdefault(name, {}).update(entries)
    authorities = dict(client_tls.authority_entries(host)) if any(route.client_tls for route in host.routes) else {}
    return {**texts, **({Map.CLIENT_AUTHORITIES: authorities} if authorities else {})}


def _of_route(route: Route) -> Texts:
    if entry := _redirect_entry(route):
        yield Map.REDIRECTS, {route.id: entry}
    if isinstance(route.action, ForwardTo):
        yield from _of_action(route, route.action)
    if isinstance(route.action, RedirectTo) and route.action.rewrite:
        yield Map.REWRITES, {route.id: rewrite.rewrite_entry(route.action.rewrite)}
    if route.canary:
        yield Map.CANARIES, {route.id: canary.canary_entry(route, route.canary)}
        yield Map.CANARY_PATTERNS, dict.fromkeys(canary.pattern_keys(route, route.canary), "1")
    yield from _of_answers(route)
    yield from _of_guards(route)
    if route.tracing:
        yield Map.TRACING, {route.id: tracing.tracing_entry(route.tracing)}
    if entry := body_size.limit_entry(route):
        yield Map.BODY_LIMITS, {route.id: entry}


def _of_action(route: Route, action: ForwardTo) -> Texts:
    if action.affinity:
        yield from _of_affinity(route, action.affinity)
    if action.rewrite:
        yield Map.REWRITES, {route.id: rewrite.rewrite_entry(action.rewrite)}
    if entry := upstream_headers.upstream_entry(action):
        yield Map.UPSTREAM_HEADERS, {route.id: entry}
    if entry := proxying.proxying_entry(action):
        yield Map.PROXYING, {route.id: entry}
    if action.mirror:
        yield Map.MIRRORS, {route.id: mirror.mirror_entry(action.mirror)}
    if action.learning:
        yield Map.LEARNING, {route.id: learning.learning_entry(action.learning)}
    if action.hash_by:
        yield Map.HASHES, {route.id: hashing.hash_entry(action.hash_by)}
    if route.external_auth:
        yield Map.EXTERNAL_AUTH, {route.id: external_auth.auth_entry(route.external_auth)}


def _of_affinity(route: Route, affinity: Affinity) -> Texts:
    yield Map.COOKIES, {route.id: session_cookie.whole_policy(affinity)}
    if placement.is_wanted(affinity.sessions):
        yield Map.PLACEMENTS, {route.id: placement.placement_entry(affinity.sessions)}


def _of_answers(route: Route) -> Texts:
    if route.cors:
        yield Map.CORS, {route.id: cors.cors_entry(route.cors)}
        yield Map.CORS_ORIGINS, dict.fromkeys(cors.origin_keys(route.id, route.cors), "1")
    if route.response_headers:
        yield Map.RESPONSE_HEADERS, dict(response_headers.header_entries(route.id, route.response_headers))
    if route.snippet:
        if entry := snippet_entry(route.snippet):
            yield Map.SNIPPETS, {route.id: entry}
        yield Map.SNIPPET_HEADERS, dict(common_entries(route.id, route.snippet))
    if error_pages.is_wanted(route):
        yield Map.ERROR_PAGES, dict(error_pages.page_entries(route))


def _of_guards(route: Route) -> Texts:
    if route.limits:
        yield Map.LIMITS, {route.id: limits.limits_entry(route.limits)}
        yield Map.LIMIT_EXEMPT, dict.fromkeys(limits.exempt_keys(route.id, route.limits), "1")
    if access.is_wanted(route):
        yield Map.ACCESS, {route.id: access.access_entry(route.access)}
        yield Map.PASSWORDS, dict(passwords.user_entries(route.id, route.access.login))
        yield Map.ALLOWED_ADDRESSES, dict.fromkeys(access.address_keys(route.id, route.access.allow or ()), "1")
        yield Map.DENIED_ADDRESSES, dict.fromkeys(access.address_keys(route.id, route.access.deny or ()), "1")
    if route.client_tls:
        yield Map.CLIENT_TLS, {route.id: client_tls.client_entry(route.client_tls)}
        yield Map.CLIENT_SUBJECTS, dict.fromkeys(client_tls.subject_keys(route), "1")


def _redirect_entry(route: Route) -> str:
    if isinstance(route.action, RedirectTo | RedirectToHost):
        return redirect.location_entry(route.action)
    return redirect.https_entry(route.https_redirect) if route.https_redirect else ""
