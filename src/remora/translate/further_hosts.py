"""Hosts that stand in no rule: aliases, and names that are sent to the one with or without `www.`."""

from collections.abc import Iterator

import msgspec

from remora.annotations.hosts import Aliases
from remora.annotations.redirect import Redirect
from remora.core.names import Hostname, NamespacedName
from remora.core.problem import Problem, Severity
from remora.model import PrefixPath, RedirectToHost, Route, Unavailable, VirtualHost
from remora.translate.canary import is_canary
from remora.translate.certificates import CoveredNamesUnit, RefusalUnit
from remora.translate.conflicts import by_precedence
from remora.translate.ingress import IngressUnit, Prepared, TlsSection
from remora.translate.routes import route_id
from remora.translate.view import View
from remora.watch.snapshot import www_counterpart


def find_alias_owners(view: View, host: Hostname, asked: list[Prepared]) -> list[Prepared]:
    """The Ingresses of the host that this one is an alias of, as if their rules were for this one; none if it is no alias.

    An alias is of the oldest Ingress that names it, if that has no older one with aliases on its host.
    """
    for claimant in by_precedence(one for one in asked if host in one.aliases):
        for source in claimant.hosts:
            of_source = (view.ask(IngressUnit(name)) for name in view.ingresses_of(source))
            owners = by_precedence(one for one in of_source if source in one.hosts)
            speaks = next((one for one in owners if one.parsed.of(Aliases).names and not is_canary(one)), None)
            if speaks is not None and speaks.name == claimant.name:
                return [_renamed(view, owner, source, host) for owner in owners]
    return []


def lost_aliases(host: Hostname, asked: list[Prepared], *, winners: list[Prepared]) -> Iterator[Problem]:
    """What those are told whose alias the host is not."""
    claimants = [one for one in asked if host in one.aliases]
    won = {winner.name for winner in winners} if claimants else set()
    for one in claimants:
        if one.name not in won and host not in one.hosts:
            by = f" by {winners[0].ref}" if winners else ""
            message = f"the alias {host} is taken{by}, or an older Ingress decides about aliases of the host"
            yield Problem(one.ref, "metadata.annotations", "AliasTaken", message, "the alias is left out", Severity.ERROR)


def find_www_host(view: View, host: Hostname, asked: list[Prepared]) -> tuple[VirtualHost, NamespacedName | None] | None:
    """The host as one that is sent to the name with or without `www.`, and the Secret that it is served with."""
    target = www_counterpart(host)
    for owner in by_precedence(one for one in asked if target in one.hosts and not is_canary(one)):
        redirect = owner.parsed.of(Redirect)
        if target is None or not redirect.from_to_www:
            continue
        action = Unavailable() if owner.parsed.is_closed else RedirectToHost(target, redirect.https_code)
        route = Route(route_id(owner, host, path_type="FromToWww", path="/"), PrefixPath(""), action, owner.name)
        tls = _tls_of(view, owner, target, host)
        secret = tls.secret if tls else None
        return VirtualHost(host, (route,)), secret if secret and not view.ask(RefusalUnit(secret)) else None
    return None


def _renamed(view: View, owner: Prepared, source: Hostname, alias: Hostname) -> Prepared:
    share = msgspec.structs.replace(owner.hosts[source], tls=_tls_of(view, owner, source, alias))
    return msgspec.structs.replace(owner, hosts={alias: share})


def _tls_of(view: View, owner: Prepared, source: Hostname, other: Hostname) -> TlsSection | None:
    """What covers another name of a host with TLS: a section that lists it, else the host's own whose certificate does."""
    listed = owner.further_tls.get(other)
    if listed:
        return listed
    section = owner.hosts[source].tls
    if section is None or section.secret is None:
        return None
    names = view.ask(CoveredNamesUnit(section.secret))
    return section if {other, f"*.{other.partition('.')[2]}"} & set(names) else None
