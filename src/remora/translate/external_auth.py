"""From annotations and the controller's ConfigMap to the service that is asked about a route's requests."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from remora.annotations.auth_external import FRAMING, AuthExternal, AuthUrl, header_template
from remora.annotations.configmap import GlobalAuth
from remora.annotations.registry import Parsed
from remora.annotations.snippets import SnippetSettings
from remora.annotations.templates import Pieces
from remora.annotations.values import ValueRefused
from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import ConfigMap
from remora.model import BackendName, ExternalAuth, Template
from remora.snippets.auth import auth_headers
from remora.snippets.parse import SnippetRefused
from remora.translate.auth_backends import AuthBackendUnit, find_auth_port, find_auth_service
from remora.translate.backends import BackendRef
from remora.translate.references import FaultUnit, find_referenced
from remora.translate.view import View

_HEADER = re.compile("[a-z0-9_-]{1,100}")
_GLOBAL_URL = "global-auth-url"
CLOSED = ExternalAuth(backend=BackendName(""), host="", target=())
"""What cannot be asked, so that the route must not be served."""

_BACK: Pieces = ("", "told_scheme", "://", "http_host", "", "escaped_request_uri", "")


@dataclass(frozen=True, slots=True)
class AuthWish:
    """What an Ingress asks for, before it is known for which host and Service."""

    url: AuthUrl
    method: str
    timeout: int
    response_headers: tuple[str, ...]
    sent_headers: tuple[tuple[str, Pieces], ...]
    redirect: Pieces
    sign_in: Pieces
    always_set_cookie: bool
    cache_key: Pieces
    cache_durations: tuple[tuple[int, int], ...]


class FoundAuth(msgspec.Struct, frozen=True):
    """The wish, if there is one; or why the Ingress must not be served."""

    wish: AuthWish | None = None
    refusal: str = ""


def find_auth_wish(view: View, ref: ObjectRef, parsed: Parsed) -> FoundAuth:
    """What the Ingress wants itself, else what the ConfigMap wants for all."""
    own = parsed.of(AuthExternal)
    is_own = bool(own.url)
    if not is_own and not (own.global_auth and parsed.of(GlobalAuth).url):
        return FoundAuth()
    try:
        of_snippet = tuple(_sent_headers(auth_headers(own.snippet if is_own else parsed.of(SnippetSettings).auth)))
    except (SnippetRefused, ValueRefused) as refusal:
        return FoundAuth(refusal=f"{'' if is_own else 'global-'}auth-snippet: {refusal}")
    if not is_own:
        return FoundAuth(_global_wish(parsed.of(GlobalAuth), timeout=own.timeout, sent=of_snippet))
    sent: tuple[tuple[str, Pieces], ...] = ()
    if own.proxy_set_headers:
        config_map, why = find_referenced(view, ConfigMap, own.proxy_set_headers, parsed=parsed, namespace=ref.name.namespace)
        if config_map is None:
            return FoundAuth(refusal=f"auth-proxy-set-headers: {why}")
        try:
            sent = tuple(_sent_headers((config_map.data or {}).items()))
        except ValueRefused as refusal:
            return FoundAuth(refusal=f"auth-proxy-set-headers, {config_map.ref}: {refusal}")
    return FoundAuth(
        AuthWish(
            url=own.url,
            method=own.method,
            timeout=own.timeout,
            response_headers=own.response_headers,
            sent_headers=tuple((dict(sent) | dict(of_snippet)).items()),
            redirect=own.request_redirect,
            sign_in=_with_way_back(own.signin, own.signin_redirect_param),
            always_set_cookie=own.always_set_cookie,
            cache_key=own.cache_key,
            cache_durations=own.cache_duration.seconds,
        )
    )


def _global_wish(group: GlobalAuth, *, timeout: int, sent: tuple[tuple[str, Pieces], ...]) -> AuthWish | None:
    if not group.url:
        return None
    return AuthWish(
        url=group.url,
        method=group.method,
        timeout=timeout,
        response_headers=group.response_headers,
        sent_headers=sent,
        redirect=group.request_redirect,
        sign_in=_with_way_back(group.signin, group.signin_parameter),
        always_set_cookie=group.always_set_cookie,
        cache_key=group.cache_key,
        cache_durations=group.cache_duration.seconds,
    )


def without_global(parsed: Parsed) -> Parsed:
    """The annotations of an Ingress that a broken `global-auth-url` does not concern."""
    own = parsed.of(AuthExternal)
    if _GLOBAL_URL not in parsed.closing or (not own.url and own.global_auth):
        return parsed
    closing = parsed.closing - {_GLOBAL_URL}
    return msgspec.structs.replace(parsed, closing=closing, is_closed=bool(closing))


def auth_refused(ref: ObjectRef, why: str) -> Problem:
    """What the owner of an Ingress is told whose authentication is not to be had."""
    consequence = "every path of this Ingress answers 503"
    return Problem(ref, "metadata.annotations", "ExternalAuthUnusable", why, consequence, Severity.ERROR)


def auth_problems(view: View, ref: ObjectRef, wish: AuthWish, hosts: Iterable[Hostname]) -> Iterator[Problem]:
    """What is wrong with the service that is to be asked."""
    for host in sorted(hosts):
        if _find_host(wish.url, host, _object_names(ref.name, "", "")) is None:
            message = f"$host in the host of auth-url means nothing for {host or 'any host'}"
            consequence = "the paths of that host answer 503"
            yield Problem(ref, "metadata.annotations", "ExternalAuthUnusable", message, consequence, Severity.ERROR)
    if len(wish.url.host) > 1:
        return
    service = find_auth_service(view, wish.url.host[0].lower())
    fault = view.ask(FaultUnit(BackendRef(service, find_auth_port(view, service, wish.url.port)))) if service else None
    if fault and fault.code:
        consequence = "requests are answered with 500"
        yield Problem(ref, "metadata.annotations", "AuthServiceMissing", fault.message, consequence, Severity.ERROR)


def find_external_auth(
    view: View, wish: AuthWish, *, ingress: NamespacedName, host: Hostname, backend: BackendRef
) -> ExternalAuth:
    """What a route asks, or CLOSED. The translation then needs the service."""
    names = _object_names(ingress, backend.service.name, str(backend.port))
    asked = _find_host(wish.url, host, names)
    if asked is None:
        return CLOSED
    unit = AuthBackendUnit(asked, wish.url.port, wish.url.is_tls)
    view.need(unit)
    return ExternalAuth(
        backend=unit.name,
        host=asked,
        target=_bound(wish.url.target, names),
        method=wish.method,
        timeout=wish.timeout,
        response_headers=wish.response_headers,
        sent_headers=tuple((name, _bound(value, names)) for name, value in wish.sent_headers),
        redirect=_bound(wish.redirect, names),
        sign_in=_bound(wish.sign_in, names),
        always_set_cookie=wish.always_set_cookie,
        cache_key=_bound(wish.cache_key, names),
        cache_durations=wish.cache_durations if wish.cache_key else (),
    )


def _object_names(ingress: NamespacedName, service: str, port: str) -> dict[str, str]:
    return {"namespace": ingress.namespace, "ingress_name": ingress.name, "service_name": service, "service_port": port}


def _find_host(url: AuthUrl, host: Hostname, names: dict[str, str]) -> str | None:
    """The host that is asked; None if it is the request's, and that is not known before there is one."""
    is_known = bool(host) and not host.startswith("*")
    of_request = {"host": host, "http_host": host} if is_known else {}
    pieces = _bound(url.host, names | of_request)
    return pieces[0].lower() if len(pieces) == 1 else None


def _bound(pieces: Pieces, names: dict[str, str]) -> Template:
    """The pieces with the variables in place that are known."""
    texts = [pieces[0]] if pieces else []
    for variable, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if variable in names:
            texts[-1] += names[variable] + text
        else:
            texts += [variable, text]
    return tuple(texts)


def _with_way_back(url: Pieces, parameter: str) -> Pieces:
    """The URL with the way back in its query, unless it has a parameter of that name."""
    if not url:
        return ()
    literal = "$".join(url[::2])
    _, has_query, query = literal.partition("?")
    if any(one.partition("=")[0] == parameter for one in query.split("&")):
        return url
    joint = ("&" if query else "") if has_query or "is_args" in url[1::2] else "?"
    return (*url[:-1], f"{url[-1]}{joint}{parameter}=", *_BACK[1:])


def _sent_headers(items: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Pieces]]:
    for name, text in sorted(items):
        if not _HEADER.fullmatch(name.lower()) or name.lower().replace("_", "-") in FRAMING:
            raise ValueRefused(f"{name!r} is not the name of a header that may be set")
        yield name.lower(), header_template(text) if text.strip() else ()
