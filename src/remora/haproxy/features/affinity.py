"""Session affinity by cookie.

The cookie's value is `session|backend key`. In persistent mode the session is the name of a server; in balanced mode it is
`key~server`, where the key decides by consistent hashing and the server's name counts only while that server drains. A
session whose server is unknown or gone falls through to balancing, and the answer carries a new cookie.

The cookie's name is data too. HAProxy's `req.cook()` takes a name fixed at start, so the name is put in front of the Cookie
header and found again behind it by a back-reference: 0.7 us more than `req.cook()`, and no reload for a name never seen before.
"""

from collections.abc import Iterator

from remora.haproxy.features import broken_sessions, by_name, former_sessions
from remora.haproxy.features.rare_headers import RARE
from remora.haproxy.grammar import NEW_IDENTIFIER, Directive, rule
from remora.haproxy.pool import Algorithm, BackendClass
from remora.model import Affinity, CookieAttributes

ACTIVE = "active"
DRAINING = "draining"
"""Values of the map `servers`, whose keys are `slot/server`."""

FIND_WHOLE = (
    "var(txn.record),field(3,|),concat(;,txn.cookies),"
    r'regsub("^([^;]+);(?:.*[; \t])?\1=([^; \t]*).*$","\2")'
)
"""The value of the last cookie of the name; without one, text with a semicolon, which no cookie's value holds."""

_FIND_FITTING = (
    "var(txn.record),field(3,|),concat(;,txn.ours),concat(;,txn.cookies),"
    r'regsub("^([^;]+);([^;]+);(?:.*[; \t])?\1=([^; \t|]*\|\2(?:\|[^; \t]*)?)(?:[; \t].*)?$","\3")'
)
"""The value of the last cookie of the name that has the backend key `txn.ours`; without one, text with semicolons."""

HAS_FITTING = "{ var(txn.fitting) -m len gt 0 } !{ var(txn.fitting) -m sub ; }"

_FIND_COOKIE = f"{FIND_WHOLE},field(1,|)"
"""The session in it."""

_SESSION = "field(1,;),field(-1,~)"
"""What is behind the last `~`. Of what is no cookie's value only the cookie's name is left, lest another cookie be followed."""

_NAMED = r"(?:.*?[; \t])??\1="
_FIND_SINGLE = (
    "var(txn.record),field(3,|),concat(;,txn.cookies),"
    rf'regsub("^(?:([^;]+);(?>{_NAMED})(?>VALUE)[^; \t]*+(?![; \t]{_NAMED})|)(?s:.*+)","\2")'
)
"""The group in VALUE, of the only cookie of the name; "" if there is none or there are several. It looks at each character
about once, from the left; `FIND_WHOLE` goes to the end first and comes back."""

_SINGLE_SESSION = _FIND_SINGLE.replace("VALUE", r"(?:[^|; \t]*~)?([^~|; \t]*)")
_SINGLE_VALUE = _FIND_SINGLE.replace("VALUE", r"([^|; \t]*)")

_IS_USUAL = f"{{ var(txn.session) -m len 20 }} !{RARE}"
"""Holds for nearly all visits but the first: one Cookie header, in it one cookie of the name, and in that what a server is
called. Whether it is there, HAProxy finds out when it follows it."""

_OLD_BROWSERS = "Chrome/[456]|CPU.iPhone.OS.12|iPad;.CPU.OS.12|Macintosh.*Intel.Mac.OS.X.10_14(?!.*Chrome).*Safari"
"""User agents that take `SameSite=None` for `Strict`: the list behind ingress-nginx's conditional annotation."""


def fitting_rules(backend_key: str, when: str) -> Iterator[Directive]:
    """`txn.fitting`: the cookie that this backend issued, where another one of the same name stands behind it.

    A client of `/` and of `/api`, of two Services, has two cookies of one name, and sends that of the longer path first.
    """
    yield rule("http-request set-var(txn.ours)", backend_key, when=when)
    yield rule("http-request set-var(txn.fitting)", _FIND_FITTING, when="{ var(txn.ours) -m len gt 0 }")


def request_rules(kind: BackendClass, *, cookies_map: str, servers_map: str) -> Iterator[Directive]:
    """From the Cookie header to `txn.session` (a server's name) and, when balanced, `txn.key` (what is hashed).

    `txn.agent` is only there for routes whose Set-Cookie depends on it, which are in rich classes.
    """
    if kind.algorithm not in (Algorithm.PERSISTENT, Algorithm.BALANCED):
        return
    is_persistent = kind.algorithm is Algorithm.PERSISTENT
    if kind.rich and not kind.shaped:
        yield from agent_rules()
    yield rule("http-request set-var(txn.cookies)", "req.fhdr(cookie)")
    if is_persistent:
        yield rule("http-request set-var(txn.session)", _SINGLE_SESSION)
    else:
        yield rule("http-request set-var(txn.value)", _SINGLE_VALUE)
        yield rule("http-request set-var(txn.session)", "var(txn.value),field(-1,~)")
    is_unusual = ""
    if is_persistent:
        yield rule("http-request allow", when=_IS_USUAL)
    else:
        yield rule("http-request set-var(txn.usual) bool(true)", when=_IS_USUAL)
        is_unusual = "!{ var(txn.usual) -m found }"
    yield from _searching_rules(is_unusual, is_persistent=is_persistent, cookies_map=cookies_map, servers_map=servers_map)
    if not is_persistent:
        # Without the stamp behind it, from when the route's sessions had lifetimes.
        yield rule("http-request set-var(txn.key)", "var(txn.value),field(1,~.)")
        is_new = "{ var(txn.value) -m sub ; } || !{ var(txn.key) -m len gt 0 }"
        yield rule("http-request set-var(txn.key)", NEW_IDENTIFIER, when=is_new)
    yield from former_sessions.request_rules(kind.algorithm, servers_map)


def _searching_rules(when: str, *, is_persistent: bool, cookies_map: str, servers_map: str) -> Iterator[Directive]:
    """Of all cookies of the name, the last one counts, or the last that is this backend's if nobody knows that one's server."""
    yield from by_name.joining_rules(when)
    is_unknown = f"{when} !{{ be_name,concat(/,txn.session),map_str({servers_map}) -m found }}".lstrip()
    fitting = fitting_rules(f"var(txn.route),map_str({cookies_map}),field(1,|)", is_unknown)
    find_session = f"var(txn.fitting),field(1,|),{_SESSION}"
    has_fitting = f"{when} {HAS_FITTING}".lstrip()
    if is_persistent:
        yield rule("http-request set-var(txn.session)", f"{_FIND_COOKIE},{_SESSION}", when=when)
        yield from fitting
    else:
        yield rule("http-request set-var(txn.value)", _FIND_COOKIE, when=when)
        yield rule("http-request set-var(txn.session)", f"var(txn.value),{_SESSION}", when=when)
        yield from fitting
        yield rule("http-request set-var(txn.value)", "var(txn.fitting),field(1,|)", when=has_fitting)
    yield rule("http-request set-var(txn.session)", find_session, when=has_fitting)


def agent_rules() -> Iterator[Directive]:
    """Keeps the User-Agent where a Set-Cookie depends on it."""
    when = "{ var(txn.record),field(1,|) -m sub a }"
    yield rule("http-request set-var(txn.agent)", "req.fhdr(user-agent)", when=when)


def choosing_rules(algorithm: Algorithm, servers_map: str) -> Iterator[Directive]:
    """How a backend follows the session; these lines stand in every backend, since `defaults` cannot hold them."""
    if algorithm not in (Algorithm.PERSISTENT, Algorithm.BALANCED):
        return
    yield from former_sessions.choosing_rules(algorithm)
    if algorithm is Algorithm.PERSISTENT:
        yield rule("use-server", "%[var(txn.session)]", when="{ var(txn.session) -m found }")
    if algorithm is Algorithm.BALANCED:
        is_draining = f"{{ be_name,concat(/,txn.session),map_str({servers_map}) -m str {DRAINING} }}"
        yield rule("use-server", "%[var(txn.session)]", when=is_draining)


def response_rules(algorithm: Algorithm, *, cookies_map: str, servers_map: str) -> Iterator[Directive]:
    """The Set-Cookie of a session that is new or has moved. `allow` ends the rules for all other answers."""
    if algorithm not in (Algorithm.PERSISTENT, Algorithm.BALANCED):
        return
    yield rule("http-after-response allow", when="{ srv_name,strcmp(txn.session) eq 0 }")
    yield rule("http-after-response allow", when="!{ srv_name -m found }")
    yield from broken_sessions.response_rules(algorithm, servers_map=servers_map)
    yield rule("http-after-response set-var(txn.policy)", f"var(txn.route),map_str({cookies_map})")
    yield former_sessions_stay(servers_map)
    if algorithm is Algorithm.PERSISTENT:
        yield rule("http-after-response allow", when=keeps_pod(servers_map))
        value = "%[srv_name]"
    else:
        value = "%[var(txn.key)]~%[srv_name]"
    yield from set_cookie_rules(value)


def former_sessions_stay(servers_map: str, when: str = "") -> Directive:
    """Leaves the client the cookie of ingress-nginx where only this request had to go elsewhere."""
    when = f"{former_sessions.ELSEWHERE} {keeps_pod(servers_map, session='txn.former_server')} {when}"
    return rule("http-after-response allow", when=when.rstrip())


def keeps_pod(servers_map: str, *, session: str = "txn.session") -> str:
    """Holds where the session's pod lives and only this request had to go elsewhere: the session stays its own."""
    lives = f"{{ be_name,concat(/,{session}),map_str({servers_map}) -m str {ACTIVE} }}"
    return f"{lives} !{{ var(txn.policy),field(6,|) -m sub f }}"


def set_cookie_rules(value: str, tail: str = "", *, begun: str = "") -> Iterator[Directive]:
    """Puts the header together in the order in which ingress-nginx writes it. `tail` is what follows the backend key.

    `begun` is a variable: when the cookie's time began, if it is not now; Max-Age is then in the policy's tenth field.
    """
    cookie = "http-after-response set-var-fmt(txn.set_cookie)"
    yield rule(cookie, f"%[var(txn.record),field(3,|)]={value}|%[var(txn.policy),field(1,|)]{tail}")
    yield rule("http-after-response set-var(txn.expires)", "var(txn.policy),field(2,|)")
    expires = f"%[var(txn.set_cookie)]; Expires=%[{f'var({begun})' if begun else 'date'},add(txn.expires),http_date]"
    yield rule(cookie, expires, when="{ var(txn.expires) -m len gt 0 }")
    if begun:
        yield rule("http-after-response set-var(txn.max_age)", "var(txn.policy),field(10,|)")
        max_age = f"%[var(txn.set_cookie)]; Max-Age=%[date,neg,add({begun}),add(txn.max_age)]"
        yield rule(cookie, max_age, when="{ var(txn.max_age) -m len gt 0 }")
    yield rule(cookie, "%[var(txn.set_cookie)]%[var(txn.policy),field(3,|)]")
    yield rule(cookie, "%[var(txn.set_cookie)]; Secure", when="{ ssl_fc } || { var(txn.policy),field(4,|) -m str always }")
    yield rule(cookie, "%[var(txn.set_cookie)]; HttpOnly")
    is_sent = f"{{ var(txn.policy),field(5,|) -m len gt 0 }} !{{ var(txn.agent) -m reg {_OLD_BROWSERS} }}"
    yield rule(cookie, "%[var(txn.set_cookie)]; SameSite=%[var(txn.policy),field(5,|)]", when=is_sent)
    yield rule("http-after-response add-header Set-Cookie", "%[var(txn.set_cookie)]")


def cookie_policy(affinity: Affinity, *, with_max_age: bool = True) -> str:
    """The value of the map `cookies`: backend key, expires, attributes, secure, SameSite and letters for switches, by `|`.

    The letter `f` is for change-on-failure; `features.session_cookie` adds others.
    """
    attributes = affinity.attributes
    expires = "" if attributes.expires is None else str(attributes.expires)
    secure = "always" if attributes.secure or attributes.partitioned else ""
    same_site = attributes.same_site.value if attributes.same_site else ""
    letters = "f" * affinity.change_on_failure
    fixed = _fixed_attributes(attributes, with_max_age=with_max_age)
    return "|".join((affinity.backend_key, expires, fixed, secure, same_site, letters))


def _fixed_attributes(attributes: CookieAttributes, *, with_max_age: bool) -> str:
    """Max-Age, Domain, Path and Partitioned as they stand in the header.

    Raises:
        ValueError: Domain or Path holds what would end the attribute (RFC 6265 section 4.1.1).
    """
    parts = []
    if with_max_age and attributes.max_age is not None:
        parts.append(f"; Max-Age={attributes.max_age}")
    if attributes.domain:
        parts.append(f"; Domain={attributes.domain}")
    parts.append(f"; Path={attributes.path}")
    if attributes.partitioned:
        parts.append("; Partitioned")
    for text in (attributes.domain, attributes.path):
        if any(character in ";|" or character < " " or character == "\x7f" for character in text):
            raise ValueError(f"{text!r} cannot stand in a cookie's attribute")
    return "".join(parts)
