"""From a rule that has won its path to a route: what is done with its requests."""

import hashlib

import msgspec

from remora.annotations.observing import Observing
from remora.annotations.redirect import Redirect
from remora.annotations.rewrite import Rewrite
from remora.core.names import Hostname
from remora.model import (
    OPEN,
    Access,
    ConstantPath,
    CookieFormat,
    ExactPath,
    ExternalAuth,
    ForwardTo,
    HttpsRedirect,
    LocationBase,
    PathMatch,
    RedirectTo,
    RegexPath,
    ReplacePath,
    Route,
    RouteAction,
    RouteId,
    Unavailable,
)
from remora.translate.access import skips_authentication, without_login
from remora.translate.affinity import find_affinity, keeps_unready
from remora.translate.backends import BackendRef, BackendUnit
from remora.translate.balancing import Spread, find_spread
from remora.translate.external_auth import CLOSED, find_external_auth
from remora.translate.ingress import PathRule, Prepared
from remora.translate.learning import find_learning
from remora.translate.limits import find_body_limit, find_limits
from remora.translate.paths import find_rewrite
from remora.translate.policies import find_cors, find_forwarded_prefix, find_upstream_host
from remora.translate.proxying import with_proxying
from remora.translate.tracing import find_tracing
from remora.translate.upstream import PodLink
from remora.translate.view import View

Claim = tuple[Prepared, PathRule]
"""A rule that wants a path of a host, and the Ingress that it stands in."""


def route_of(view: View, claim: Claim, *, host: Hostname, match: PathMatch, has_tls: bool) -> Route:
    """The route of a rule. Redirects of the Ingress's own go before the one to https, as in ingress-nginx."""
    owner, rule = claim
    action = _action(view, claim, is_regex=isinstance(match, RegexPath))
    https = _https_redirect(owner, rule, has_tls=has_tls) if isinstance(action, ForwardTo) else None
    cors = None if isinstance(action, Unavailable) else find_cors(owner.parsed)
    headers = () if isinstance(action, Unavailable) else owner.response_headers
    auth = _external_auth(view, claim, host=host) if isinstance(action, ForwardTo) else None
    if auth is CLOSED:
        return closed_route(claim, host=host, match=match)
    return Route(
        route_id(owner, host, path_type=rule.path_type, path=rule.written),
        match,
        action,
        owner.name,
        https,
        cors=cors,
        response_headers=headers,
        access=_access(action, claim),
        external_auth=auth,
        limits=None if isinstance(action, Unavailable) else find_limits(owner.parsed, ingress=owner.name),
        body_limit=None if isinstance(action, Unavailable) else find_body_limit(owner.parsed),
        is_logged=owner.parsed.of(Observing).access_log,
        tracing=find_tracing(owner.parsed) if isinstance(action, ForwardTo) else None,
    )


def closed_route(claim: Claim, *, host: Hostname, match: PathMatch) -> Route:
    """The route of a rule whose requests must not be served."""
    owner, rule = claim
    return Route(route_id(owner, host, path_type=rule.path_type, path=rule.written), match, Unavailable(), owner.name)


def _access(action: RouteAction, claim: Claim) -> Access:
    owner, rule = claim
    if isinstance(action, Unavailable):
        return OPEN
    return without_login(owner.clients) if skips_authentication(owner.parsed, rule.path) else owner.clients


def _external_auth(view: View, claim: Claim, *, host: Hostname) -> ExternalAuth | None:
    owner, rule = claim
    wish = owner.auth_wish
    if wish is None or skips_authentication(owner.parsed, rule.path):
        return None
    return find_external_auth(view, wish, ingress=owner.name, host=host, backend=rule.backend)


def app_root_route(owner: Prepared, *, host: Hostname, is_regex: bool) -> Route:
    """The route of an `app-root`: exactly `/` is sent there."""
    match: PathMatch = RegexPath("/$") if is_regex else ExactPath("/")
    closed = owner.parsed.is_closed
    action = Unavailable() if closed else RedirectTo(owner.parsed.of(Rewrite).app_root, 302)
    return Route(route_id(owner, host, path_type="AppRoot", path="/"), match, action, owner.name)


def route_id(owner: Prepared, host: Hostname, *, path_type: str, path: str) -> RouteId:
    """The name of the route that a rule of that path, as written, makes on a host."""
    parts = "\0".join((owner.name.namespace, owner.name.name, host, path_type, path))
    return RouteId(hashlib.sha256(parts.encode()).hexdigest()[:16])


def _action(view: View, claim: Claim, *, is_regex: bool) -> RouteAction:
    owner, rule = claim
    if owner.parsed.is_closed:
        return Unavailable()
    if rule.is_default:
        return _forward(view, claim, is_regex=is_regex)
    redirect = owner.parsed.of(Redirect)
    if redirect.temporal:
        return RedirectTo(redirect.temporal, redirect.temporal_code, _base(redirect, redirect.temporal_code))
    if redirect.permanent:
        return RedirectTo(redirect.permanent, redirect.permanent_code, _base(redirect, redirect.permanent_code))
    target = owner.parsed.of(Rewrite).target
    if target.startswith(("http://", "https://")):
        return _redirect_by_path(rule, target, is_regex=is_regex)
    return _forward(view, claim, is_regex=is_regex)


def _redirect_by_path(rule: PathRule, target: str, *, is_regex: bool) -> RedirectTo:
    """What a rewrite to a URL does: the path becomes that of the URL, as the path sent to a pod would."""
    scheme, _, rest = target.partition("://")
    host, slash, below = rest.partition("/")
    path = f"/{below}" if slash else "/"
    rewrite = find_rewrite(rule.path, path, is_regex=is_regex)
    if rewrite is None:  # the path is what it was to become, or all of it is kept
        rewrite = ReplacePath(rule.path, path) if "$" in path else ConstantPath(path)
    return RedirectTo(f"{scheme}://{host}", 302, rewrite=rewrite)


def _forward(view: View, claim: Claim, *, is_regex: bool) -> ForwardTo:
    """To the rule's backend, which the translation then needs. A default backend has neither sessions nor rewriting."""
    owner, rule = claim
    affinity = rewrite = learning = None
    if not rule.is_default:
        issued = CookieFormat(view.settings.session_cookie_format)
        affinity = find_affinity(owner.parsed, rule.backend, path=rule.path, is_regex=is_regex, cookie_format=issued)
        learning = find_learning(owner.parsed, rule.backend)
        rewrite = find_rewrite(rule.path, owner.parsed.of(Rewrite).target, is_regex=is_regex)
    spread = find_spread(owner.parsed, affinity)
    backends = pod_backends(rule.backend, spread, owner.link, keeps_unready=keeps_unready(owner.parsed, affinity))
    for backend in backends:
        view.need(backend)
    host = find_upstream_host(owner.parsed, rule.backend, ingress=owner.name)
    prefix = find_forwarded_prefix(owner.parsed, path=rule.path) if not rule.is_default else ""
    action = ForwardTo(backends[0].name, affinity, rewrite, host, prefix, spread.balancing, spread.hash_by, learning)
    action = with_proxying(action, owner.parsed)
    return msgspec.structs.replace(action, over_http=backends[1].name) if len(backends) > 1 else action


def pod_backends(ref: BackendRef, spread: Spread, link: PodLink, *, keeps_unready: bool) -> tuple[BackendUnit, ...]:
    """A service port as requests by HTTPS reach it and, if that is another backend, as those by HTTP do."""
    upstreams = dict.fromkeys(link.upstream(over_tls=over_tls) for over_tls in (True, False))
    return tuple(BackendUnit(ref, spread.balancing, keeps_unready, spread.via_service, one) for one in upstreams)


def _base(redirect: Redirect, status: int) -> LocationBase:
    has_location = status in (301, 302, 303, 307, 308)
    return LocationBase.HOST_WITHOUT_PORT if has_location and not redirect.relative else LocationBase.NONE


def _https_redirect(owner: Prepared, rule: PathRule, *, has_tls: bool) -> HttpsRedirect | None:
    """How http is sent to https. Challenges of certificate issuers come by http and must be answered."""
    redirect = owner.parsed.of(Redirect)
    is_wanted = redirect.force_ssl or (redirect.ssl and has_tls)
    is_plain = not rule.is_default and rule.path.startswith(redirect.plain_paths)
    if not is_wanted or is_plain:
        return None
    keeps_slash, names_port = redirect.preserve_trailing_slash, redirect.use_port
    return HttpsRedirect(redirect.https_code, keeps_slash=keeps_slash, names_port=names_port)
