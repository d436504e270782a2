"""Lifetimes of sessions that hold whatever the browser does.

The cookie's stamp is then `identifier.issued.seen.signature`: the session's beginning and a recent visit as seconds since 1970
in hex, and the first 16 hex digits of HMAC-SHA256 over what stands before. The key is derived from the cluster's session key,
so every replica can judge a stamp, and nobody else can make one.

A session whose time is over, or whose stamp somebody has altered, counts as none. A stamp shows when a request came, not how
long it took: of a WebSocket the table of tracked sessions knows more, and is asked before a session counts as idle. A cookie
without a stamp (ingress-nginx's, or one from before the route had lifetimes) is followed, and its time begins then: an edit of
an Ingress must not cost a session.
"""

import base64
import hmac
from collections.abc import Iterator

from remora.core.settings import ProxySettings
from remora.haproxy.features import session_tracking
from remora.haproxy.features.broken_sessions import Reason, count_rule
from remora.haproxy.grammar import Directive, rule
from remora.model import Affinity

STAMPED = "l"
"""The letter in a route's cookie policy for sessions that have a stamp."""

SLIDING = "s"
"""The letter for sessions whose cookie lives anew with visits."""

SKEW = 5
"""Seconds that the clocks of replicas may differ without ending a session."""

_IN_HEX = "bytes(4,4),hex,lower"
_NEVER = 1 << 40
_KEY = "proc.lifetime_key"
_SIGNATURE = f"hmac(sha256,{_KEY}),hex,lower,bytes(0,16)"
_IS_STAMPED = f"{{ var(txn.letters) -m sub {STAMPED} }}"
_HAS_STAMP = "{ var(txn.signature) -m len gt 0 }"

_TRACKED_AS = "%[var(txn.route)]/%[var(txn.whole),field(1,|),field(-1,~)]/%[var(txn.stamp),field(1,.)]"
"""The session's key in the table of those that are tracked."""

_TABLE = session_tracking.TABLE
_USED = f"{{ var(txn.idle),table_idle({_TABLE},{_NEVER}),div(1000),sub(txn.idle_limit) le 0 }}"
_IS_IN_USE = f"{_USED} || {{ var(txn.idle),table_trackers({_TABLE}) gt 1 }}"
"""The look-up itself counts as one who tracks. Only a route whose sessions are tracked has them in the table."""


def derive_key(session_key: bytes) -> str:
    """The key of signatures, in base64 as HAProxy takes it."""
    return base64.b64encode(hmac.digest(session_key, b"remora session lifetimes", "sha256")).decode()


def sign(key: str, text: str) -> str:
    """The signature of `identifier.issued.seen`."""
    return hmac.digest(base64.b64decode(key), text.encode("utf-8", "surrogateescape"), "sha256").hex()[:16]


def global_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Makes the key known to HAProxy. It stands in the program's file, which nobody else may read."""
    if settings.lifetime_key:
        yield rule(f"set-var {_KEY}", f"str({settings.lifetime_key})")


def is_stamped(policy: Affinity) -> bool:
    """Whether the sessions of a route have stamps."""
    sessions = policy.sessions
    return bool(sessions.idle_timeout or sessions.absolute_timeout or sessions.sliding)


def idle_limit(policy: Affinity) -> int | None:
    """After how many seconds without a new stamp a session is over; a stamp may be older than the visit by `renewal`."""
    timeout = policy.sessions.idle_timeout
    return timeout + max(1, timeout // 10) + SKEW if timeout else None


def absolute_limit(policy: Affinity) -> int | None:
    """After how many seconds from its beginning a session is over."""
    timeout = policy.sessions.absolute_timeout
    return timeout + SKEW if timeout else None


def renewal(policy: Affinity) -> int | None:
    """How old a stamp may be before the client is sent another: a tenth of what would run out."""
    attributes = policy.attributes
    lifetimes = [policy.sessions.idle_timeout]
    if policy.sessions.sliding:
        lifetimes += [seconds for seconds in (attributes.max_age, attributes.expires) if seconds and seconds > 0]
    known = [seconds for seconds in lifetimes if seconds]
    return max(1, min(known) // 10) if known else None


def policy_fields(policy: Affinity) -> tuple[str, ...]:
    """What a route's cookie policy says of it: idle and absolute limit, renewal, Max-Age. All "" without stamps."""
    if not is_stamped(policy):
        return ("", "", "", "")
    limits = (idle_limit(policy), absolute_limit(policy), renewal(policy))
    max_age = policy.attributes.max_age
    return (*(str(_NEVER if one is None else one) for one in limits), "" if max_age is None else str(max_age))


def request_rules() -> Iterator[Directive]:
    """Judges `txn.stamp`. A session that is over, or whose stamp is forged, is taken away: then there is no `txn.whole`."""
    yield rule("http-request set-var(txn.signature)", "var(txn.stamp),field(4,.)", when=_IS_STAMPED)
    for name, find in {
        "signed": f"var(txn.stamp),field(1,.,3),{_SIGNATURE}",
        "began": "var(txn.stamp),field(2,.),hex2i",
        "seen": "var(txn.stamp),field(3,.),hex2i",
        "idle_limit": "var(txn.policy),field(7,|)",
        "absolute_limit": "var(txn.policy),field(8,|)",
        "renewal": "var(txn.policy),field(9,|)",
    }.items():
        yield rule(f"http-request set-var(txn.{name})", find, when=_HAS_STAMP)
    forged = f"{_HAS_STAMP} !{{ var(txn.signed),strcmp(txn.signature) eq 0 }}"
    yield rule(f"http-request set-var(txn.over) str({Reason.UNREADABLE.value})", when=forged)
    is_valid = f"{_HAS_STAMP} !{{ var(txn.over) -m found }}"
    is_idle = f"{is_valid} {{ date,sub(txn.seen),sub(txn.idle_limit) gt 0 }}"
    is_old = f"{is_valid} {{ date,sub(txn.began),sub(txn.absolute_limit) gt 0 }}"
    yield rule("http-request set-var-fmt(txn.idle)", _TRACKED_AS, when=is_idle)
    yield rule("http-request unset-var(txn.idle)", when=_IS_IN_USE)
    is_idle = "{ var(txn.idle) -m found }"
    yield rule(f"http-request set-var(txn.over) str({Reason.EXPIRED.value})", when=f"{is_idle} || {is_old}")
    for reason in (Reason.UNREADABLE, Reason.EXPIRED):
        yield count_rule(reason, f"{{ var(txn.over) -m str {reason.value} }}", stage="http-request")
    for name in ("whole", "stamp", "began"):
        yield rule(f"http-request unset-var(txn.{name})", when="{ var(txn.over) -m found }")
    is_due = f"{_HAS_STAMP} {{ date,sub(txn.seen),sub(txn.renewal) gt 0 }}"
    yield rule("http-request set-var(txn.issue) bool(true)", when=f"{_IS_STAMPED} !{_HAS_STAMP} || {is_due}")


def response_rules() -> Iterator[Directive]:
    """Makes `txn.stamp` for the cookie, the identifier alone where there are no lifetimes, and `txn.begun`: when the time
    began that Max-Age and Expires count from."""
    stamp = "http-after-response set-var-fmt(txn.stamp)"
    yield rule(stamp, "%[var(txn.id)]")
    yield rule("http-after-response set-var(txn.begun) date")
    yield rule("http-after-response set-var(txn.began) date", when="!{ var(txn.began) -m found }")
    times = f"%[var(txn.began),{_IN_HEX}].%[date,{_IN_HEX}]"
    yield rule(stamp, f"%[var(txn.id)].{times}", when=_IS_STAMPED)
    yield rule(stamp, f"%[var(txn.stamp)].%[var(txn.stamp),{_SIGNATURE}]", when=_IS_STAMPED)
    # A new stamp must not make the cookie live longer than it was to live from the beginning, unless it slides.
    keeps_age = f"{_IS_STAMPED} !{{ var(txn.letters) -m sub {SLIDING} }}"
    yield rule("http-after-response set-var(txn.begun)", "var(txn.began)", when=keeps_age)
