"""To which pod a request's cookies lead it, as `features.affinity` and `features.former_sessions` decide it. Pure."""

import re
from collections.abc import Collection, Sequence

import msgspec

from remora import model
from remora.haproxy.configuration import Server
from remora.haproxy.features import placement, session_cookie
from remora.haproxy.features.former_sessions import KEPT
from remora.model import Affinity, AffinityMode, Balancing, CookieFormat
from remora.report.lifetimes import Judge, why_over
from remora.report.ring import former_owner, ring_owner

_FORMER_LENGTH = 32


class Placement(msgspec.Struct, frozen=True):
    """Where a request goes among the servers of its backend. `server` is None where chance decides, or nobody is there."""

    server: str | None
    reason: str


def cookie_value(name: str, cookies: str, backend_keys: Sequence[str] = (), known: Collection[str] = ()) -> str | None:
    """The value of the last cookie of the name in a Cookie header.

    If that names none of the `known` servers and has none of the keys, the last one that has one of the keys goes before it.
    """
    values = re.findall(rf"(?:^|[; \t]){re.escape(name)}=([^; \t]*)", cookies)
    if not values:
        return None
    session, _, rest = values[-1].partition("|")
    if session.rpartition("~")[2] in known or rest.partition("|")[0] in backend_keys:
        return str(values[-1])
    fitting = [value for key in backend_keys for value in values if key and value.partition("|")[2].partition("|")[0] == key]
    return str(fitting[-1] if fitting else values[-1])


def session_value(affinity: Affinity, cookies: str, servers: Sequence[Server]) -> str | None:
    """The value of the cookie that counts on a route."""
    known = {name for server in servers for name in (server.name, server.former_key)}
    is_known_enough = not session_cookie.is_wanted(affinity)
    return cookie_value(affinity.cookie_name, cookies, (affinity.backend_key,), known if is_known_enough else ())


_WITHOUT_SESSION = {
    Balancing.ROUND_ROBIN: "each request goes to the next pod in turn",
    Balancing.CONSISTENT_HASH: "consistent hashing of what the policies name gives each request its pod",
    Balancing.LEAST_CONNECTIONS: "each request goes to the pod with the fewest connections",
}


def place(
    affinity: Affinity | None,
    cookies: str,
    servers: Sequence[Server],
    balancing: Balancing = Balancing.ROUND_ROBIN,
    judge: Judge | None = None,
) -> Placement:
    """Which server answers a request with that Cookie header. Without a judge, no lifetime is over."""
    if not servers:
        return Placement(None, "it has no endpoints: 503")
    if affinity is None:
        return Placement(None, f"no session affinity: {_WITHOUT_SESSION[balancing]}")
    value = session_value(affinity, cookies, servers)
    find = _persistent if affinity.mode is AffinityMode.PERSISTENT else _balanced
    if value and (over := why_over(value, affinity, judge)):
        found = find(None, servers, affinity)
        return Placement(found.server, f"{over}; {found.reason}")
    found = find(value, servers, affinity)
    becomes_theirs = affinity.sessions.cookie_format is CookieFormat.INGRESS_NGINX and found.server and "~" in (value or "")
    return Placement(found.server, f"{found.reason}; the cookie becomes one of ingress-nginx") if becomes_theirs else found


_CHOSEN = {
    model.Placement.RANDOM: "any pod",
    model.Placement.LEAST_SESSIONS: "the pod with the fewest sessions",
    model.Placement.LEAST_CONNECTIONS: "the pod with the fewest connections",
}


def placement_words(affinity: Affinity) -> str:
    """Which pod a new session is given."""
    policy = affinity.sessions
    if not placement.is_wanted(policy):
        if affinity.mode is AffinityMode.PERSISTENT:
            return "the next pod in turn"
        ring = "the ring of ingress-nginx" if policy.cookie_format is CookieFormat.INGRESS_NGINX else "the ring"
        return f"a random key, and the pod that {ring} has for it"
    chosen = _CHOSEN[policy.placement]
    if policy.limit is None:
        return chosen
    beyond = _CHOSEN[model.Placement.LEAST_SESSIONS] if policy.overflow else "503"
    return f"{chosen} of those with fewer than {policy.limit} sessions; if all have as many, {beyond}"


def _persistent(value: str | None, servers: Sequence[Server], affinity: Affinity) -> Placement:
    if value is None:
        return Placement(None, f"a new session: {placement_words(affinity)}, and a cookie that names it")
    session = value.partition("|")[0].rpartition("~")[2]
    former = {server.former_key: server for server in servers if server.former_key}
    if len(session) == _FORMER_LENGTH and session in former:
        return Placement(former[session].name, "the cookie is one of ingress-nginx and names this pod by its address")
    by_name = _by_name(servers)
    if session in by_name:
        return Placement(session, f"the cookie names this pod{_while_draining(by_name[session])}")
    return Placement(None, f"the cookie names a pod that is gone: {placement_words(affinity)}, and a new cookie")


def _balanced(value: str | None, servers: Sequence[Server], affinity: Affinity) -> Placement:
    by_name = _by_name(servers)
    text = (value or "").partition("|")[0]
    key, session = text.partition("~")[0], text.rpartition("~")[2]
    if "~" in text:
        key = key.partition(".")[0]  # what follows is the session's stamp
    if not text or not key:
        return Placement(None, f"a new session: {placement_words(affinity)}")
    if "~" not in text:
        owner = former_owner(servers, key)
        return Placement(owner.name if owner else None, "the cookie is one of ingress-nginx; its ring has this pod for the key")
    if key == KEPT and session in by_name:
        return Placement(session, "the session began at ingress-nginx, or was placed by load, and stays on its pod")
    if key == KEPT or (session not in by_name and placement.is_wanted(affinity.sessions)):
        return Placement(None, f"the cookie names a pod that is gone: {placement_words(affinity)}, and a new cookie")
    if session in by_name and by_name[session].draining:
        return Placement(session, f"the cookie names this pod{_while_draining(by_name[session])}")
    owner = ring_owner(servers, key)
    if owner is None:
        return Placement(None, "all pods are draining: 503")
    if owner.name == session:
        return Placement(owner.name, "the ring has this pod for the cookie's key, as before")
    moved = "whose pod is gone" if session not in by_name else "which was on another pod"
    return Placement(owner.name, f"the ring has this pod for the cookie's key, {moved}; a new cookie")


def _by_name(servers: Sequence[Server]) -> dict[str, Server]:
    return {server.name: server for server in servers}


def _while_draining(server: Server) -> str:
    return ", which is draining and keeps its sessions" if server.draining else ""
