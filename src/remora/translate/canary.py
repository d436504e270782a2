"""Canaries: which routes they attach to, and what sends requests there (behaviour reference, part A, section 2).

A canary belongs to the rule of the same host and path alone. In ingress-nginx it belongs to that rule's Service, and with it to
every other host that names the Service.
"""

from collections.abc import Iterable

import msgspec

from remora import model
from remora.annotations.affinity import Affinity
from remora.annotations.canary import Canary
from remora.annotations.registry import guards_of
from remora.core.names import Hostname
from remora.core.problem import Problem, Severity
from remora.model import ForwardTo, HeaderCondition, HeaderTest, PathMatch, Route
from remora.translate.affinity import keeps_unready
from remora.translate.backends import backend_key
from remora.translate.balancing import find_spread
from remora.translate.ingress import PathRule, Prepared
from remora.translate.learning import learning_scope
from remora.translate.paths import match_of
from remora.translate.patterns import find_pattern_fault
from remora.translate.routes import Claim, pod_backends, route_id
from remora.translate.upstream import PodLink
from remora.translate.view import View

_SMALLEST_TOTAL = 100

_GUARDS = frozenset(
    (
        *("auth-type", "auth-secret", "auth-url", "auth-tls-secret"),
        *("allowlist-source-range", "denylist-source-range"),
    )
)
"""What keeps requests out. The route's is in force for its canary too, so a canary must not ask for more than the route."""


def is_canary(owner: Prepared) -> bool:
    """Whether an Ingress is a canary of others, and no host's owner."""
    return owner.parsed.of(Canary).enabled


class Mains(msgspec.Struct, frozen=True, gc=False):
    """What a host has without canaries: the rules that won their paths, and their routes."""

    host: Hostname
    claims: dict[PathMatch, Claim]
    routes: dict[PathMatch, Route]
    is_regex: bool


def with_canaries(view: View, mains: Mains, canaries: Iterable[Prepared], problems: list[Problem]) -> dict[PathMatch, Route]:
    """The routes with their canaries. A route has one, that of the canary Ingress that counts as oldest."""
    routes = dict(mains.routes)
    for owner in canaries:
        header = _header(owner, problems)
        for rule in owner.hosts[mains.host].rules:
            for match in _matches(mains, rule):
                fault = _find_fault(mains, routes, (owner, rule), match)
                if fault:
                    problems.append(_not_attached((owner, rule), mains.host, fault))
                elif isinstance(main := routes[match].action, ForwardTo):
                    link = mains.claims[match][0].link
                    canary = _canary(view, (owner, rule), host=mains.host, main=main, header=header, link=link)
                    routes[match] = msgspec.structs.replace(routes[match], canary=canary)
    return routes


def _matches(mains: Mains, rule: PathRule) -> tuple[PathMatch, ...]:
    """Where a rule of a canary wants to attach: to its path, or, being a bare default backend, to all paths of any host."""
    if rule.is_default:
        return tuple(match for match, (_, main) in mains.claims.items() if not main.is_default)
    return (match_of(rule.path, rule.path_type, is_regex=mains.is_regex),)


def _find_fault(mains: Mains, routes: dict[PathMatch, Route], claim: Claim, match: PathMatch) -> str:
    """Why a canary does not attach to a path; "" if nothing is wrong."""
    owner, rule = claim
    if owner.parsed.is_closed:
        return "another of its annotations is refused"
    main = mains.claims.get(match)
    if main is None or main[1].is_default:
        return "no other Ingress has this host and path with this type"
    asked, in_force = guards_of(owner.parsed), guards_of(main[0].parsed)
    unkept = sorted(name for name in _GUARDS & asked.keys() if asked[name] != in_force.get(name))
    if unkept:
        return f"{' and '.join(unkept)} of this Ingress would keep nobody out, since those of {main[0].ref} are in force"
    if main[1].backend == rule.backend:
        return f"{main[0].ref} sends to the same Service port"
    other = routes[match].canary
    return f"Ingress {other.origin}, which counts as older, is the canary there" if other else ""


def _not_attached(claim: Claim, host: Hostname, fault: str) -> Problem:
    owner, rule = claim
    message = f"{host or 'any host'}, path {rule.path}: {fault}"
    return Problem(owner.ref, rule.field, "CanaryNotAttached", message, "the canary gets no requests here", Severity.ERROR)


def _canary(
    view: View, claim: Claim, *, host: Hostname, main: ForwardTo, header: HeaderCondition | None, link: PodLink
) -> model.Canary:
    """The canary of a route, which does to requests what the route does and keeps its sessions as the route does.

    Its pods are spoken to as those of the route, whatever its own Ingress says, as in ingress-nginx.
    """
    owner, rule = claim
    affinity = main.affinity
    if affinity and owner.parsed.of(Affinity).canary_behavior == "legacy":
        affinity = None
    if affinity:
        affinity = msgspec.structs.replace(affinity, backend_key=backend_key(rule.backend))
    spread = find_spread(owner.parsed, affinity)
    backends = pod_backends(rule.backend, spread, link, keeps_unready=keeps_unready(owner.parsed, affinity))
    for backend in backends:
        view.need(backend)
    learning = main.learning
    if learning:
        learning = msgspec.structs.replace(learning, scope=learning_scope(rule.backend))
    group = owner.parsed.of(Canary)
    action = msgspec.structs.replace(
        main,
        backend=backends[0].name,
        over_http=backends[1].name if len(backends) > 1 else None,
        affinity=affinity,
        balancing=spread.balancing,
        hash_by=spread.hash_by,
        learning=learning,
    )
    return model.Canary(
        id=route_id(owner, host, path_type=rule.path_type, path=rule.written),
        origin=owner.name,
        action=action,
        header=header,
        cookie=group.by_cookie,
        weight=group.weight,
        total=max(group.weight_total, _SMALLEST_TOTAL),
    )


def _header(owner: Prepared, problems: list[Problem]) -> HeaderCondition | None:
    """What a request header must be. A value goes before a pattern; a pattern that is none keeps all with the header out."""
    group = owner.parsed.of(Canary)
    name = group.by_header.lower()
    if not name:
        return None
    if group.by_header_value:
        return HeaderCondition(name, HeaderTest.VALUE, group.by_header_value)
    if not group.by_header_pattern:
        return HeaderCondition(name, HeaderTest.WORD)
    fault = find_pattern_fault(group.by_header_pattern)
    if not fault:
        return HeaderCondition(name, HeaderTest.PATTERN, group.by_header_pattern)
    message = f"canary-by-header-pattern {group.by_header_pattern!r} is no regular expression: {fault}"
    consequence = "requests with the header do not go to the canary"
    problems.append(Problem(owner.ref, "metadata.annotations", "PatternInvalid", message, consequence, Severity.ERROR))
    return HeaderCondition(name, HeaderTest.PRESENCE)
