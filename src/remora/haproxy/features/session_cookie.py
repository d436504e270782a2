"""Session cookies of routes that want more of them than a pod: an identifier for tracking.

These rules take the place of those of `features.affinity` in the classes with `sessions`, so other routes pay nothing for them.
A cookie's value has up to three pieces between `|`: who is meant, the backend key, and the session's stamp if it does not
stand in the first piece. Who is meant: `stamp~server`; a server alone (untracked, persistent); a key of ingress-nginx.
"""

from collections.abc import Iterator

from remora.haproxy.features import affinity, broken_sessions, former_sessions, session_tracking
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.pool import Algorithm, BackendClass
from remora.model import Affinity

_NEW_IDENTIFIER = "uuid(),regsub(-,,g)"
_MUST_ISSUE = "http-request set-var(txn.issue) bool(true)"


def is_wanted(policy: Affinity) -> bool:
    """Whether a route's sessions need the rules of this module."""
    return policy.sessions.tracking


def whole_policy(policy: Affinity) -> str:
    """The value of the map `cookies`: that of `features.affinity`, with the letter `t` for tracking."""
    return affinity.cookie_policy(policy) + "t" * policy.sessions.tracking


def has(letter: str) -> str:
    """Holds for requests of routes with the switch."""
    return f"{{ var(txn.policy),field(6,|) -m sub {letter} }}"


def request_rules(kind: BackendClass, *, cookies_map: str, servers_map: str) -> Iterator[Directive]:
    """From the Cookie header to `txn.session` (a server's name), `txn.key` (what is hashed) and `txn.id`.

    `txn.issue` is there if the client must be sent another cookie whichever pod answers.
    """
    yield rule("http-request set-var(txn.cookies)", "req.fhdr(cookie)")
    yield rule("http-request set-var(txn.policy)", f"var(txn.route),map_str({cookies_map})")
    yield rule("http-request set-var(txn.whole)", affinity.FIND_WHOLE)
    for name in ("txn.value", "txn.whole"):  # the rules for canaries have a `txn.value` too
        yield rule(f"http-request unset-var({name})", when="{ var(txn.whole) -m sub ; }")
    yield rule("http-request set-var(txn.value)", "var(txn.whole),field(1,|)")
    yield rule("http-request set-var(txn.session)", "var(txn.value),field(-1,~)")
    yield from _identify()
    if kind.algorithm is Algorithm.BALANCED:
        yield rule("http-request set-var(txn.key)", "var(txn.value),field(1,~)")
        yield rule("http-request set-var(txn.key)", "var(txn.key),field(1,.)", when="{ var(txn.value) -m sub ~ }")
        yield rule("http-request set-var(txn.key)", "var(txn.id)", when="!{ var(txn.key) -m len gt 0 }")
    yield from former_sessions.request_rules(kind.algorithm, servers_map)
    yield from affinity.agent_rules()


def _identify() -> Iterator[Directive]:
    yield rule("http-request set-var(txn.stamp)", "var(txn.whole),field(3,|)")
    has_none = "!{ var(txn.stamp) -m len gt 0 }"
    yield rule("http-request set-var(txn.stamp)", "var(txn.value),field(1,~)", when=has_none + " { var(txn.value) -m sub ~ }")
    yield rule("http-request set-var(txn.id)", "var(txn.stamp),field(1,.)")
    is_new = f"!{{ var(txn.id) -m reg {session_tracking.IDENTIFIER} }}"
    yield rule(_MUST_ISSUE, when=is_new)
    yield rule("http-request set-var(txn.id)", _NEW_IDENTIFIER, when=is_new)


def response_rules(kind: BackendClass, *, servers_map: str) -> Iterator[Directive]:
    """Tracks the session, and sends the cookie of one that is new, has moved or is to have another."""
    yield from session_tracking.response_rules(has("t"))
    yield rule("http-after-response allow", when="!{ srv_name -m found }")
    yield from broken_sessions.response_rules(kind.algorithm, servers_map=servers_map)
    elsewhere = "!{ srv_name,strcmp(txn.session) eq 0 }"
    yield rule("http-after-response set-var(txn.issue) bool(true)", when=elsewhere)
    if kind.algorithm is Algorithm.PERSISTENT:
        yield rule("http-after-response allow", when=f"{elsewhere} {affinity.keeps_pod(servers_map)}")
    yield rule("http-after-response allow", when="!{ var(txn.issue) -m found }")
    yield rule("http-after-response set-var-fmt(txn.value)", "%[var(txn.id)]~%[srv_name]")
    if kind.algorithm is Algorithm.BALANCED:
        other_key = "!{ var(txn.key),strcmp(txn.id) eq 0 }"
        yield rule("http-after-response set-var-fmt(txn.value)", "%[var(txn.key)]~%[srv_name]", when=other_key)
        yield rule("http-after-response set-var-fmt(txn.tail)", "|%[var(txn.id)]", when=other_key)
    yield from affinity.set_cookie_rules("%[var(txn.value)]", "%[var(txn.tail)]")
