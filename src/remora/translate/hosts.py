"""One host: the rules of all its Ingresses become the routes of a virtual host.

Unlike in ingress-nginx a path that no rule lists gets nothing from a stranger's annotations: it is answered by the default
backend. And the redirect to https covers the hosts that a TLS section lists, not every host of its Ingress.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from remora.annotations.redirect import Redirect
from remora.annotations.registry import guards_of
from remora.annotations.rewrite import Rewrite
from remora.core.names import ANY_HOST, Hostname, NamespacedName
from remora.core.problem import Problem, Severity
from remora.model import USUAL_TLS, HostTls, PathMatch, RegexPath, Route, VirtualHost
from remora.translate.backtracking import TANGLED, repeats_within_repeats
from remora.translate.canary import Mains, is_canary, with_canaries
from remora.translate.certificates import RefusalUnit
from remora.translate.client_tls import FoundTls, find_tls, with_client_tls
from remora.translate.conflicts import by_precedence, path_taken, path_taken_by_default
from remora.translate.crowds import Losses, Reason, apart, told
from remora.translate.error_pages import with_error_pages
from remora.translate.further_hosts import find_alias_owners, find_www_host, lost_aliases
from remora.translate.ingress import HostShare, IngressUnit, PathRule, Prepared
from remora.translate.paths import asks_for_regex, match_of, stand_in_of
from remora.translate.patterns import find_pattern_fault
from remora.translate.routes import Claim, app_root_route, closed_route, route_of
from remora.translate.snippets import find_server_snippet, route_with_snippets
from remora.translate.streams import find_passthrough
from remora.translate.upstream import with_link_of_host
from remora.translate.view import Unit, View


class HostOutcome(msgspec.Struct, frozen=True, gc=False):
    """A host, translated. `certificate` is the Secret that it is served with, None for the default certificate."""

    virtual_host: VirtualHost | None = None
    certificate: NamespacedName | None = None
    problems: tuple[Problem, ...] = ()
    tls: HostTls = USUAL_TLS
    losses: Losses = {}
    """What those of a crowd are told that win nothing."""


class HostUnit(Unit[HostOutcome], frozen=True):
    """The rules of one host, from every Ingress that has some."""

    layer: ClassVar[int] = 3
    host: Hostname

    def run(self, view: View) -> HostOutcome:
        asked = [view.ask(IngressUnit(name)) for name in view.ingresses_of(self.host)]
        owners = by_precedence(one for one in asked if self.host in one.hosts)
        if not owners:
            return _further_host(view, self.host, asked)
        problems = list(lost_aliases(self.host, asked, winners=owners))
        before: HostOutcome | None = view.before
        owners, lost = apart(self.host, owners, before.losses if before else {})
        contest = Contest(self.host)
        routes = _routes(view, contest, owners=owners, problems=problems)
        losses = told(self.host, lost, reason_of=contest.reason_of, tell=contest.tell)
        owners = [owner for owner in owners if not is_canary(owner)]
        passthrough = find_passthrough(view, self.host, owners, problems)
        found = find_tls(view, self.host, owners, _certificate(view, self.host, owners=owners))
        routes = _guarded(routes, found, owners)
        host = VirtualHost(self.host, routes, passthrough) if owners else None
        return HostOutcome(host, found.certificate, (*problems, *found.problems), found.tls, losses)


def _further_host(view: View, host: Hostname, asked: list[Prepared]) -> HostOutcome:
    """A host that no rule names. What is wrong in the rules of an alias is told where they stand, on the host itself."""
    owners = find_alias_owners(view, host, asked)
    problems = tuple(lost_aliases(host, asked, winners=owners))
    if owners:
        owners, _ = apart(host, owners, {})
        routes = _routes(view, Contest(host), owners=owners, problems=[])
        owners = [owner for owner in owners if not is_canary(owner)]
        found = find_tls(view, host, owners, _certificate(view, host, owners=owners))
        routes = _guarded(routes, found, owners)
        return HostOutcome(VirtualHost(host, routes), found.certificate, (*problems, *found.problems), found.tls)
    www = find_www_host(view, host, asked)
    if www is None:
        return HostOutcome(problems=problems)
    found = find_tls(view, host, [], www[1])
    return HostOutcome(www[0], found.certificate, problems, found.tls)


def _certificate(view: View, host: Hostname, *, owners: list[Prepared]) -> NamespacedName | None:
    """The Secret of the first Ingress whose TLS sections cover the host, if it can be used.

    A host-less rule has no name under which a client could ask for its certificate; it is served with the default one.
    """
    for owner in owners:
        section = owner.hosts[host].tls
        if section:
            is_usable = section.secret and host != ANY_HOST and not view.ask(RefusalUnit(section.secret))
            return section.secret if is_usable else None
    return None


def _guarded(routes: tuple[Route, ...], found: FoundTls, owners: list[Prepared]) -> tuple[Route, ...]:
    if found.clients is None:
        return routes
    free_paths = owners[0].parsed.of(Redirect).plain_paths
    return tuple(with_client_tls(route, found.clients, free_paths=free_paths) for route in routes)


def _with_link_of_host(owners: list[Prepared]) -> list[Prepared]:
    """The Ingresses with what the first of them says of TLS towards pods, where they say nothing."""
    of_host = next((owner.link.tls for owner in owners if owner.link.tls), None)
    if of_host is None:
        return owners
    return [msgspec.structs.replace(owner, link=with_link_of_host(owner.parsed, owner.link, of_host)) for owner in owners]


class Contest:
    """Who won which paths of a host so far."""

    def __init__(self, host: Hostname) -> None:
        self.host = host
        self.is_regex = False
        self.won: dict[PathMatch, Claim] = {}

    def reason_of(self, rule: PathRule) -> Reason | None:
        """Why a rule is left out; None if it is not."""
        fault = _fault_of(rule.path) if self.is_regex else None
        if fault:
            return fault
        winner = self.won.get(self.match_of(rule))
        return (winner[0].ref, winner[1].is_default) if winner else None

    def match_of(self, rule: PathRule) -> PathMatch:
        return match_of(rule.path, rule.path_type, is_regex=self.is_regex)

    def tell(self, claim: Claim, reason: Reason) -> Problem:
        """What one is told whose rule is left out."""
        if isinstance(reason, str):
            return _broken_pattern(claim, reason)
        owner, rule = claim
        winner, is_default = reason
        tell = path_taken_by_default if is_default else path_taken
        return tell(owner.ref, rule.field, where=f"{self.host or 'any host'}, path {rule.path}", winner=winner)


def _routes(view: View, contest: Contest, *, owners: list[Prepared], problems: list[Problem]) -> tuple[Route, ...]:
    host, won = contest.host, contest.won
    owners = _with_link_of_host(owners)
    canaries = [owner for owner in owners if is_canary(owner)]
    owners = [owner for owner in owners if not is_canary(owner)]
    shares = [(owner, owner.hosts[host]) for owner in owners]
    has_tls = any(share.tls for _, share in shares)
    is_regex = contest.is_regex = any(_asks_for_regex(owner, rule) for owner, share in shares for rule in share.rules)
    barred: list[Route] = []
    for claim in _claims(shares):
        reason = contest.reason_of(claim[1])
        if reason is None:
            won[contest.match_of(claim[1])] = claim
            continue
        problems.append(contest.tell(claim, reason))
        if isinstance(reason, str) and _is_guarded(claim[0]):
            barred.append(closed_route(claim, host=host, match=stand_in_of(claim[1].path)))
    for owner, share in shares:
        if share.fallback:
            won.setdefault(match_of("/", "Prefix", is_regex=is_regex), (owner, share.fallback))
    routes = {match: route_of(view, claim, host=host, match=match, has_tls=has_tls) for match, claim in won.items()}
    routes = with_canaries(view, Mains(host, won, routes, is_regex), canaries, problems)
    routes = {match: with_error_pages(view, won[match], route) for match, route in routes.items()}
    server = find_server_snippet([(owner.ref, owner.parsed) for owner in owners], problems)
    policy = view.settings.snippet_policy
    routes = {
        match: route_with_snippets(route, won[match][0].parsed, won[match][1].backend, server=server, policy=policy)
        for match, route in routes.items()
    }
    roots = (app_root_route(owner, host=host, is_regex=is_regex) for owner in owners if owner.parsed.of(Rewrite).app_root)
    routes |= {route.match: route for route in barred}
    return _with_app_root(routes, next(roots, None), is_regex=is_regex)


def _claims(shares: list[tuple[Prepared, HostShare]]) -> Iterator[Claim]:
    """All rules, those that win first. A bare default backend takes `/` of "any host" before any rule, as in ingress-nginx."""
    claims = [(owner, rule) for owner, share in shares for rule in share.rules]
    yield from sorted(claims, key=lambda claim: not claim[1].is_default)


def _asks_for_regex(owner: Prepared, rule: PathRule) -> bool:
    rewrite = owner.parsed.of(Rewrite)
    return not rule.is_default and asks_for_regex(rule.path, target=rewrite.target, use_regex=rewrite.use_regex)


def _fault_of(pattern: str) -> str | None:
    return find_pattern_fault(pattern) or (TANGLED if repeats_within_repeats(pattern) else None)


def _broken_pattern(claim: Claim, fault: str) -> Problem:
    owner, rule = claim
    message = f"{rule.path!r} is no regular expression{' for a path' * (fault == TANGLED)}: {fault}"
    consequence = "this path is left out"
    if _is_guarded(owner):
        beginning = stand_in_of(rule.path).pattern.replace(".?", "")
        consequence = f"access to it is guarded, so all paths that begin with {beginning} answer 503"
    return Problem(owner.ref, rule.field, "PatternInvalid", message, consequence, Severity.ERROR)


def _is_guarded(owner: Prepared) -> bool:
    return owner.parsed.is_closed or bool(guards_of(owner.parsed))


def _with_app_root(routes: dict[PathMatch, Route], root: Route | None, *, is_regex: bool) -> tuple[Route, ...]:
    """The routes in their order, that of an `app-root` before all others."""
    if is_regex:
        tried = tuple(sorted(routes.values(), key=_trial_order, reverse=True))
        return (root, *tried) if root else tried
    merged = routes | {root.match: root} if root else routes
    return tuple(sorted(merged.values(), key=lambda route: (type(route.match).__name__, _text(route.match))))


def _trial_order(route: Route) -> tuple[int, str]:
    """Regular expressions are tried by the length of their text, longest first, and then in reverse alphabetical order."""
    return len(_text(route.match)), _text(route.match)


def _text(match: PathMatch) -> str:
    return match.pattern if isinstance(match, RegexPath) else match.path
