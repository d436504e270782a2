"""Names and passwords: basic and digest authentication.

Who gave a right password is known for a while in a stick table, by a keyed digest of the user's hash and the header as it was
sent. So a request that comes again costs a few rules and neither Lua nor a hash that is made to be slow; a hash that is changed
or taken away makes another digest, and counts at once; and no password stands anywhere. Peers share the table, so a reload
keeps it.

What the table does not know, Lua finds out (`passwords.lua`), with the controller's help where a hash is slow.
"""

from collections.abc import Iterator

from remora.core.settings import ProxySettings
from remora.haproxy.features import peers
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.layout import Layout
from remora.haproxy.lua import Script
from remora.haproxy.maps import Map
from remora.model import Login

TABLE = "passwords"
"""The name of the table."""

COUNTER = 5
"""Which of a request's stick counters: the last one of all features."""

_LIFETIME = 3600
"""Seconds for which a right password need not be tried again."""

_KEY = "proc.lifetime_key"
_HASH = "var(txn.hash)"

AUTHENTICATED = "{ var(txn.authenticated) -m bool }"


def global_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of the section `global`."""
    layout = Layout(settings.state_directory)
    script = (layout.script(Script.PASSWORDS), layout.map(Map.PASSWORDS), layout.passwords_socket, settings.lifetime_key)
    yield rule("lua-load", *filter(None, script))


def table_rule() -> Directive:
    """The table's definition."""
    return rule(f"stick-table type binary len 32 size 100k expire {_LIFETIME}s store gpt0 peers {peers.SECTION}")


def request_rules(layout: Layout, *, basic: str, digest: str) -> Iterator[Directive]:
    """Finds `txn.authenticated`, or `txn.login_failure`, the status of who cannot be asked, or `txn.challenge`.

    `basic` and `digest` are the conditions under which the one and the other is asked for.
    """
    for scheme in (basic, digest):
        yield rule("http-request set-var(txn.realm)", "var(txn.access),field(2,|)", when=scheme)
        # Which of two would count is anybody's guess.
        yield rule("http-request deny deny_status 400", when=f"{scheme} {{ req.fhdr_cnt(authorization) gt 1 }}")
        yield rule("http-request set-var(txn.authorization)", "req.fhdr(authorization)", when=scheme)
    yield rule("http-request set-var(txn.user)", "http_auth_user,hex", when=basic)
    find = f"var(txn.route),concat(/,txn.user),map_str({layout.map(Map.PASSWORDS)})"
    yield rule("http-request set-var(txn.hash)", find, when=f"{basic} {{ var(txn.user) -m len gt 0 }}")
    is_known = f"{basic} {{ {_HASH} -m found }}"
    yield rule(
        "http-request set-var(txn.credential)", f'{_HASH},concat(" ",txn.authorization),hmac(sha256,{_KEY})', when=is_known
    )
    yield rule("http-request set-var(txn.authenticated)", f"var(txn.credential),in_table({TABLE})", when=is_known)
    is_new = f"{is_known} !{AUTHENTICATED}"
    yield rule("http-request set-var(txn.client_network)", "src,ipmask(32,64)", when=is_new)
    yield rule("http-request lua.check_password", when=is_new)
    is_right = f"{{ var(txn.client_network) -m found }} {AUTHENTICATED} {{ var(txn.credential) -m found }}"
    track = f"http-request track-sc{COUNTER} var(txn.credential)"
    yield rule(track, "table", TABLE, when=is_right)
    yield rule(f"http-request sc-set-gpt0({COUNTER}) 1", when=is_right)
    yield rule("http-request lua.check_digest", when=digest)
    challenge = 'Basic realm="%[var(txn.realm)]"'
    yield rule("http-request set-var-fmt(txn.challenge)", challenge, when=f"{basic} !{AUTHENTICATED}")


def user_entries(route: str, login: Login | None) -> Iterator[tuple[str, str]]:
    """The entries of a route in the map `passwords`: `route/name in hex` to a hash as `translate.passwords` writes it."""
    for user, found in login.users if login else ():
        yield f"{route}/{user.encode('utf-8', 'surrogateescape').hex().upper()}", found
