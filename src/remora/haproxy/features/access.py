"""Who may come in: lists of addresses and passwords, and how they count together with an external service.

The parties are asked in this order: addresses (`address_rules`), password (`login_rules`), external service
(`features.external_auth`), and `last_rules` settles what is left. They talk through variables:

`txn.access_letters`  how the route is guarded; found in every route that has an entry in the map `access`
`txn.granted`         true once a party has granted access where one is enough (`IS_ANY`)
`txn.refusal`         the status that a party wants to refuse with, where one that grants is enough

Where all must agree (`MUST_ALL`), a party refuses at once, by `refusal_rules`. Where any is enough, it is not asked if
`GRANTED` holds; it sets `txn.granted` or `txn.refusal`, and a 401 takes the place of a 403 but not the other way round.
Whatever a party answers for its own failure (500, 503), it answers at once in both cases.

Addresses are looked up in one step, whatever their number: a network is all prefixes of whole hexadecimal digits that make it
up, and the longest match over `route/family + digits` finds one.
"""

import ipaddress
from collections.abc import Iterable, Iterator

from remora.haproxy.features import error_pages, passwords, sign_in
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import OPEN, Access, Route, Scheme

ANY, DENIES, ALLOWS, BASIC, DIGEST = "a", "d", "w", "b", "g"
"""The letters of an entry: any party is enough; there is a list of denied, of allowed addresses; how passwords are proved."""

IS_ANY = f"{{ var(txn.access_letters) -m sub {ANY} }}"
MUST_ALL = f"!{IS_ANY}"
GRANTED = "{ var(txn.granted) -m bool }"

_MAPPED = "00000000000000000000FFFF"
"""How the hexadecimal digits of an IPv4 address in an IPv6 one begin (RFC 4291 section 2.5.5.2)."""

_RETRY_AFTER = 10
_IS_OUR_401 = f"{{ status 401 }} !{GRANTED}"


def address_rules(layout: Layout) -> Iterator[Directive]:
    """Finds the route's entry, and judges the client's address. The first rules of all about access."""
    yield rule("http-request set-var(txn.access)", f"var(txn.route),map_str({layout.map(Map.ACCESS)})")
    yield rule("http-request set-var(txn.access_letters)", "var(txn.access),field(1,|)", when="{ var(txn.access) -m found }")
    has_lists = f"{{ var(txn.access_letters) -m sub {DENIES} {ALLOWS} }}"
    yield from address_key_rules("address", when=has_lists)
    denied, allowed = (
        f"{{ var(txn.access_letters) -m sub {letter} }} %s{{ var(txn.address),map_beg({layout.map(name)}) -m found }}"
        for letter, name in ((DENIES, Map.DENIED_ADDRESSES), (ALLOWS, Map.ALLOWED_ADDRESSES))
    )
    yield rule("http-request set-var(txn.refusal) int(403)", when=denied % "")
    yield rule("http-request set-var(txn.refusal) int(403)", when=allowed % "!")
    is_refused = "{ var(txn.refusal) -m found }"
    yield rule("http-request set-var(txn.granted) bool(true)", when=f"{IS_ANY} !{is_refused} {allowed % ''}")
    yield from refusal_rules(layout, 403, when=f"{MUST_ALL} {is_refused}")


def address_key_rules(variable: str, *, when: str) -> Iterator[Directive]:
    """Puts into a variable of the transaction how the client's address is looked up in a list of the route's."""
    yield rule("http-request set-var(txn.digits)", "src,hex", when=when)
    mapped = f"{when} {{ var(txn.digits) -m beg {_MAPPED} }}"
    yield rule("http-request set-var(txn.digits)", "var(txn.digits),bytes(24,8)", when=mapped)
    for family, length in ((4, 8), (6, 32)):
        is_family = f"{when} {{ var(txn.digits) -m len {length} }}"
        yield rule(f"http-request set-var-fmt(txn.{variable})", f"%[var(txn.route)]/{family}%[var(txn.digits)]", when=is_family)


def login_rules(layout: Layout) -> Iterator[Directive]:
    """Asks for a name and a password, unless access is granted already."""
    basic, digest = (f"{{ var(txn.access_letters) -m sub {letter} }} !{GRANTED}" for letter in (BASIC, DIGEST))
    yield from passwords.request_rules(layout, basic=basic, digest=digest)
    for status in (429, 503):
        failed = f"{{ var(txn.login_failure) -m int {status} }}"
        yield from error_pages.rules_before_denial(status, layout.map(Map.ERROR_PAGES), when=failed)
        yield rule(f"http-request deny deny_status {status} hdr Retry-After {_RETRY_AFTER}", when=failed)
    is_stranger = f"{{ var(txn.challenge) -m found }} !{passwords.AUTHENTICATED}"
    yield rule("http-request set-var(txn.granted) bool(true)", when=f"{IS_ANY} {passwords.AUTHENTICATED}")
    yield rule("http-request set-var(txn.refusal) int(401)", when=f"{IS_ANY} {is_stranger}")
    # Of a pod it can only be if somebody else let the request in.
    yield rule("http-after-response add-header WWW-Authenticate", "%[var(txn.challenge)]", when=f"{is_stranger} {_IS_OUR_401}")
    yield from refusal_rules(layout, 401, when=f"{MUST_ALL} {is_stranger}")


def last_rules(layout: Layout) -> Iterator[Directive]:
    """Refuses what no party granted where one is enough; the last rules of all about access."""
    for status in (401, 403):
        yield from refusal_rules(layout, status, when=f"{{ var(txn.refusal) -m int {status} }} {IS_ANY} !{GRANTED}")
    yield rule("http-request del-header Authorization", when=f"{{ var(txn.access_letters) -m sub {BASIC} {DIGEST} }}")


def refusal_rules(layout: Layout, status: int, *, when: str) -> Iterator[Directive]:
    """The one way to refuse with 401 or 403; a route's own page goes before the usual one."""
    if status == 401:
        yield from sign_in.rules_before_challenge(when=when)
    yield from error_pages.rules_before_denial(status, layout.map(Map.ERROR_PAGES), when=when)
    yield rule(f"http-request deny deny_status {status}", when=when)


def is_wanted(route: Route) -> bool:
    """Whether the route needs the rules above."""
    return route.access is not OPEN and route.access != OPEN


def access_entry(access: Access) -> str:
    """The value of the map `access`: the letters and the realm, by `|`."""
    has = {
        ANY: access.satisfies_any,
        DENIES: bool(access.deny),
        ALLOWS: access.allow is not None,
        BASIC: bool(access.login and access.login.scheme is Scheme.BASIC),
        DIGEST: bool(access.login and access.login.scheme is Scheme.DIGEST),
    }
    letters = "".join(letter for letter, is_there in has.items() if is_there)
    return f"{letters or '-'}|{access.login.realm if access.login else ''}"


def address_keys(route: str, networks: Iterable[str]) -> Iterator[str]:
    """The keys of a route's list in its map."""
    parsed = [ipaddress.ip_network(one) for one in networks]
    for version in (4, 6):
        found = [one for one in parsed if one.version == version]
        for network in ipaddress.collapse_addresses(found):  # type: ignore[type-var]
            digits = -(-network.prefixlen // 4)
            for part in network.subnets(new_prefix=4 * digits):
                text = f"{int(part.network_address):0{part.max_prefixlen // 4}X}"
                yield f"{route}/{version}{text[:digits]}"
