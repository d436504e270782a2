"""Session cookies of routes that want more of them than a pod: an identifier, a lifetime, or the format of ingress-nginx.

These rules take the place of those of `features.affinity` in the classes with `sessions`, so other routes pay nothing for them.
A cookie's value has up to three pieces between `|`: who is meant, the backend key, and the session's stamp if it does not
stand in the first piece. Who is meant: `stamp~server`, `key~server`, a server alone (persistent), or a key of ingress-nginx,
which reads the first two pieces and passes over the third.

Where ingress-nginx's format is issued, its ring decides in balanced mode at every visit, as it does there, and a cookie of ours
becomes one of its own with a key that leads to the pod where the client is. While that pod drains there is none, and the
client keeps ours.
"""

from collections.abc import Iterator

from remora.haproxy.features import (
    affinity,
    broken_sessions,
    by_name,
    former_sessions,
    placement,
    session_lifetime,
    session_tracking,
)
from remora.haproxy.grammar import NEW_IDENTIFIER, Directive, rule
from remora.haproxy.pool import Algorithm, BackendClass
from remora.model import Affinity, CookieFormat

_MUST_ISSUE = "http-request set-var(txn.issue) bool(true)"
_NAMED = "{ var(txn.id) -m found }"
_HAS_VALUE = "{ var(txn.value) -m len gt 0 }"
_NO_VALUE = f"!{_HAS_VALUE}"
_NEW_FORMER_KEY = "%[date].%[rand(1000)].%[rand(65536)].%[rand(1000000)]"
"""Random text such as ingress-nginx makes."""

_TRACKED, _FORMER, _NAMELESS = "tgu"
"""Letters in a route's cookie policy: sessions are tracked; cookies of ingress-nginx's are issued; without an identifier."""


def is_wanted(policy: Affinity) -> bool:
    """Whether a route's sessions need the rules of this module."""
    sessions = policy.sessions
    is_plain = not sessions.tracking and sessions.cookie_format is CookieFormat.REMORA
    return not is_plain or session_lifetime.is_stamped(policy) or placement.is_wanted(sessions)


def whole_policy(policy: Affinity) -> str:
    """The value of the map `cookies`: that of `features.affinity`, and for routes of these classes more letters and fields.

    The further fields: idle limit, absolute limit, renewal, Max-Age (of a cookie that is renewed), ingress-nginx's name of the
    backend.
    """
    if not is_wanted(policy):
        return affinity.cookie_policy(policy)
    is_stamped = session_lifetime.is_stamped(policy)
    letters = "".join(letter for letter, is_on in _letters(policy) if is_on)
    first = affinity.cookie_policy(policy, with_max_age=not is_stamped) + letters
    return "|".join((first, *session_lifetime.policy_fields(policy), policy.former_name))


def _letters(policy: Affinity) -> Iterator[tuple[str, bool]]:
    sessions = policy.sessions
    is_former = sessions.cookie_format is CookieFormat.INGRESS_NGINX
    is_stamped = session_lifetime.is_stamped(policy)
    yield _TRACKED, sessions.tracking
    yield placement.LETTER, placement.is_wanted(sessions)
    yield _FORMER, is_former
    yield _NAMELESS, is_former and not sessions.tracking and not is_stamped
    yield session_lifetime.STAMPED, is_stamped
    yield session_lifetime.SLIDING, sessions.sliding


def has(letter: str) -> str:
    """Holds for requests of routes with the switch."""
    return f"{{ var(txn.letters) -m sub {letter} }}"


def request_rules(kind: BackendClass, *, cookies_map: str, servers_map: str, placements_map: str) -> Iterator[Directive]:
    """From the Cookie header to `txn.session` (a server's name), `txn.key` (what is hashed) and `txn.id`.

    `txn.issue` is there if the client must be sent another cookie whichever pod answers.
    """
    yield from by_name.cookie_rules()
    yield rule("http-request set-var(txn.policy)", f"var(txn.route),map_str({cookies_map})")
    yield rule("http-request set-var(txn.letters)", "var(txn.policy),field(6,|)")
    yield rule("http-request set-var(txn.whole)", affinity.FIND_WHOLE)
    yield rule("http-request set-var(txn.backend_key)", "var(txn.policy),field(1,|)")
    is_foreign = "!{ var(txn.whole) -m sub ; } !{ var(txn.whole),field(2,|),strcmp(txn.backend_key) eq 0 }"
    yield from affinity.fitting_rules("var(txn.backend_key)", is_foreign)
    yield rule("http-request set-var(txn.whole)", "var(txn.fitting)", when=affinity.HAS_FITTING)
    yield rule("http-request unset-var(txn.whole)", when="{ var(txn.whole) -m sub ; }")
    yield from _stamp_rules()
    yield from session_lifetime.request_rules()
    # The rules for canaries have a `txn.value` too.
    yield rule("http-request unset-var(txn.value)", when="!{ var(txn.whole) -m found }")
    yield rule("http-request set-var(txn.value)", "var(txn.whole),field(1,|)")
    yield rule("http-request set-var(txn.session)", "var(txn.value),field(-1,~)")
    yield from _identifier_rules()
    if kind.algorithm is Algorithm.BALANCED:
        yield rule("http-request set-var(txn.key)", "var(txn.value),field(1,~)")
        yield rule("http-request set-var(txn.key)", "var(txn.key),field(1,.)", when="{ var(txn.value) -m sub ~ }")
        yield rule("http-request set-var-fmt(txn.key)", _NEW_FORMER_KEY, when=f"{_NO_VALUE} {has(_FORMER)}")
        yield rule("http-request set-var(txn.key)", "var(txn.id)", when="!{ var(txn.key) -m len gt 0 }")
        yield from _owner_rules()
    yield from former_sessions.request_rules(kind.algorithm, servers_map, keeps=f"!{has(_FORMER)}")
    yield from _former_rules(kind.algorithm)
    wants = has(placement.LETTER)
    yield from placement.request_rules(kind.algorithm, is_on=wants, placements_map=placements_map, servers_map=servers_map)
    if kind.algorithm is Algorithm.BALANCED:
        is_open = "!{ var(txn.placed) -m found } !{ var(txn.former_server) -m found }"
        yield rule("http-request lua.find_former_server", when=f"{_NO_VALUE} {has(_FORMER)} {is_open}")
        yield rule("http-request lua.know_ring", when=f"{has(_FORMER)} {{ var(txn.placed) -m found }}")
    yield from affinity.agent_rules()


def _stamp_rules() -> Iterator[Directive]:
    yield rule("http-request set-var(txn.stamp)", "var(txn.whole),field(3,|)")
    is_before = "!{ var(txn.stamp) -m len gt 0 } { var(txn.whole),field(1,|) -m sub ~ }"
    yield rule("http-request set-var(txn.stamp)", "var(txn.whole),field(1,~)", when=is_before)


def _identifier_rules() -> Iterator[Directive]:
    yield rule("http-request set-var(txn.id)", "var(txn.stamp),field(1,.)", when=f"!{has(_NAMELESS)}")
    is_known = f"{{ var(txn.id) -m reg {session_tracking.IDENTIFIER} }}"
    yield rule("http-request set-var(txn.fresh) bool(true)", when=f"!{has(_NAMELESS)} !{is_known}")
    yield rule(_MUST_ISSUE, when="{ var(txn.fresh) -m found }")
    yield rule("http-request set-var(txn.id)", NEW_IDENTIFIER, when="{ var(txn.fresh) -m found }")


def _owner_rules() -> Iterator[Directive]:
    """Asks the ring without the price of a Lua action, which is left for when there is no ring yet."""
    is_asked = f"{has(_FORMER)} !{{ var(txn.value) -m sub ~ }}"
    goes_by_ring = f"{is_asked} {_HAS_VALUE} || {is_asked} !{has(placement.LETTER)}"
    yield rule("http-request set-var(txn.owner)", "be_name,concat(/,txn.key),lua.owner_of_key", when=goes_by_ring)
    yield rule("http-request set-var(txn.former_server)", "var(txn.owner)", when="{ var(txn.owner) -m len gt 0 }")


def _former_rules(algorithm: Algorithm) -> Iterator[Directive]:
    """Where ingress-nginx's format is issued, its cookies are followed as they are, and ours get another."""
    follows = f"{has(_FORMER)} {{ var(txn.former_server) -m found }} {_HAS_VALUE}"
    yield rule("http-request set-var(txn.session)", "var(txn.former_server)", when=follows)
    if algorithm is Algorithm.PERSISTENT:
        yield rule(_MUST_ISSUE, when=f"{has(_FORMER)} !{{ var(txn.former_server) -m found }}")
    if algorithm is Algorithm.BALANCED:
        yield rule(_MUST_ISSUE, when=f"{has(_FORMER)} {{ var(txn.value) -m sub ~ }}")
        yield rule("http-request lua.know_ring", when=f"{has(_FORMER)} {{ var(txn.value) -m sub ~ }}")


def response_rules(kind: BackendClass, *, servers_map: str) -> Iterator[Directive]:
    """Tracks the session, and sends the cookie of one that is new, has moved or is to have another."""
    yield from session_tracking.response_rules(has(_TRACKED))
    yield from placement.response_rules()
    yield rule("http-after-response allow", when="!{ var(txn.issue) -m found } { srv_name,strcmp(txn.session) eq 0 }")
    yield rule("http-after-response allow", when="!{ srv_name -m found }")
    yield from broken_sessions.response_rules(kind.algorithm, servers_map=servers_map)
    yield affinity.former_sessions_stay(servers_map, f"!{has(_FORMER)}")
    elsewhere = "!{ srv_name,strcmp(txn.session) eq 0 }"
    yield rule("http-after-response set-var(txn.issue) bool(true)", when=elsewhere)
    if kind.algorithm is Algorithm.PERSISTENT:
        yield rule("http-after-response allow", when=f"{elsewhere} {affinity.keeps_pod(servers_map)}")
    if kind.algorithm is Algorithm.BALANCED:
        # As in ingress-nginx: a pod that only fails this request keeps its sessions.
        stays = f"{{ var(txn.session),strcmp(txn.former_server) eq 0 }} {has(_FORMER)} !{has('f')}"
        yield rule("http-after-response allow", when=f"{elsewhere} {stays}")
    yield rule("http-after-response allow", when="!{ var(txn.issue) -m found }")
    yield from session_lifetime.response_rules()
    yield from _value_rules(kind.algorithm)
    yield from _former_value_rules(kind.algorithm)
    yield from affinity.set_cookie_rules("%[var(txn.value)]", "%[var(txn.tail)]", begun="txn.begun")


def _value_rules(algorithm: Algorithm) -> Iterator[Directive]:
    """The first and the third piece in our own format."""
    set_value = "http-after-response set-var-fmt(txn.value)"
    if algorithm is Algorithm.BALANCED:
        other_key = "!{ var(txn.key),strcmp(txn.id) eq 0 }"
        yield rule(set_value, "%[var(txn.stamp)]~%[srv_name]")
        yield rule(set_value, "%[var(txn.key)]~%[srv_name]", when=other_key)
        yield rule("http-after-response set-var-fmt(txn.tail)", "|%[var(txn.stamp)]", when=f"{_NAMED} {other_key}")
    else:
        yield rule(set_value, "%[srv_name]")
        yield rule(set_value, "%[var(txn.stamp)]~%[srv_name]", when=_NAMED)


def _former_value_rules(algorithm: Algorithm) -> Iterator[Directive]:
    """The same in ingress-nginx's format; if there is no key of its kind for the pod, ours stay."""
    is_former = has(_FORMER)
    set_key = "http-after-response set-var(txn.former_key)"
    yield rule("http-after-response set-var(txn.server)", "srv_name", when=is_former)
    if algorithm is Algorithm.BALANCED:
        is_owner = "{ var(txn.server),strcmp(txn.former_server) eq 0 }"
        yield rule(set_key, "var(txn.key)", when=is_owner)
        yield rule(set_key, "be_name,concat(/,txn.server),lua.key_of_server", when=f"{is_former} !{is_owner}")
    else:
        find = "be_name,concat(/,txn.server),lua.node_of_server"
        yield rule("http-after-response set-var(txn.node)", find, when=is_former)
        digest = "var(txn.policy),field(11,|),concat(,txn.node),digest(md5),hex,lower"
        yield rule(set_key, digest, when="{ var(txn.node) -m len gt 0 }")
    has_key = f"{is_former} {{ var(txn.former_key) -m len gt 0 }}"
    yield rule("http-after-response set-var(txn.value)", "var(txn.former_key)", when=has_key)
    yield rule("http-after-response set-var-fmt(txn.tail)", "|%[var(txn.stamp)]", when=f"{has_key} {_NAMED}")
