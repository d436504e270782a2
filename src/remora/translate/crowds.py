"""A host that a crowd claims: who can be told of a loss without being looked at further.

Thirty thousand Ingresses may ask for one path of one host, which is decided anew whenever there is one more. Whoever asks
only for what an older one asks for too, and says nothing that counts for the host as a whole, can win nothing. What such a one
is told is kept for as long as the same ones win.
"""

from collections.abc import Callable, Iterable

import msgspec

from remora.annotations.canary import Canary
from remora.annotations.client_tls import ClientTls
from remora.annotations.rewrite import Rewrite
from remora.annotations.snippets import Snippets
from remora.annotations.tls import Tls
from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.translate.canary import is_canary
from remora.translate.client_tls import speaks_of_clients
from remora.translate.ingress import PathRule, Prepared
from remora.translate.routes import Claim

CROWD = 100
"""Ingresses of one host from which on it is looked for those that cannot win."""

_SPEAKING = frozenset((Canary, ClientTls, Rewrite, Snippets, Tls))
"""The groups of annotations of which some count for the whole host."""

Key = tuple[str, str, bool]
"""The path of a rule, its type, and whether it is a default backend's: where all are the same the first one wins."""


Reason = str | tuple[ObjectRef, bool]
"""Why a rule is left out: what is wrong with its pattern, or who took its path, and whether a default backend did."""


class Loss(msgspec.Struct, frozen=True, gc=False):
    """What an Ingress is told that wins nothing of a host: the paths that it wants, why it loses them, and the Problems."""

    owner: Prepared
    keys: tuple[Key, ...]
    reasons: tuple[Reason | None, ...] = ()
    problems: tuple[Problem, ...] = ()


Losses = dict[NamespacedName, Loss]


def apart(host: Hostname, owners: list[Prepared], before: Losses) -> tuple[list[Prepared], list[Loss]]:
    """The Ingresses of a host that are to be looked at, and the losses of those that win nothing, as they were `before` or
    without a word; both in their order."""
    if len(owners) <= CROWD:
        return owners, []
    wanted: set[Key] = set()
    is_there = has_tls = has_fallback = False
    some: list[Prepared] = []
    lost: list[Loss] = []
    for owner in owners:
        known = before.get(owner.ref.name)
        if known is not None and known.owner is not owner:
            known = None
        share = owner.hosts[host]
        keys = known.keys if known else tuple([_key(rule) for rule in share.rules])
        # The first one makes the host, also without a path.
        is_known = is_there and (has_tls or share.tls is None) and (has_fallback or share.fallback is None)
        if is_known and wanted.issuperset(keys) and (known is not None or not _speaks_for_host(owner)):
            lost.append(known or Loss(owner, keys))
            continue
        some.append(owner)
        if not is_canary(owner):
            wanted.update(keys)
            is_there = True
            has_tls, has_fallback = has_tls or share.tls is not None, has_fallback or share.fallback is not None
    return some, lost


def told(
    host: Hostname,
    lost: Iterable[Loss],
    *,
    reason_of: Callable[[PathRule], Reason | None],
    tell: Callable[[Claim, Reason], Problem],
) -> Losses:
    """The losses with what each is told. `reason_of` says of a rule why it loses, and is asked once for a path; for the same
    reasons as before it is the same that is told."""
    reasons: dict[Key, Reason | None] = {}
    losses: Losses = {}
    for loss in lost:
        found = loss
        for place, key in enumerate(loss.keys):
            if key not in reasons:
                reasons[key] = reason_of(loss.owner.hosts[host].rules[place])
        why = tuple([reasons[key] for key in loss.keys])
        if loss.reasons != why:
            rules = loss.owner.hosts[host].rules
            problems = [tell((loss.owner, rule), reason) for rule, reason in zip(rules, why, strict=True) if reason]
            found = Loss(loss.owner, loss.keys, why, tuple(problems))
        losses[loss.owner.ref.name] = found
    return losses


def _key(rule: PathRule) -> Key:
    return rule.path, rule.path_type, rule.is_default


def _speaks_for_host(owner: Prepared) -> bool:
    """Whether it says something that counts for more than the paths that it wins."""
    parsed = owner.parsed
    if owner.link.tls is not None:
        return True
    if not parsed.closing and _SPEAKING.isdisjoint(parsed.groups) and _SPEAKING.isdisjoint(parsed.defaults.groups):
        return False
    if is_canary(owner) or speaks_of_clients(parsed):
        return True
    rewrite, tls = parsed.of(Rewrite), parsed.of(Tls)
    return bool(
        rewrite.target or rewrite.use_regex or rewrite.app_root or tls.passthrough or tls.ciphers or parsed.of(Snippets).server
    )
