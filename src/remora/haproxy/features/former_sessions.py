"""Sessions that ingress-nginx began: its cookies lead to the pod to which they led before, and become ours on the way.

In persistent mode the key is a digest of the backend's name and the pod's address, so it can be looked up. In balanced mode it
is random text on a ring, which Lua computes. Either way the answer carries a cookie of ours that names the pod; in balanced
mode with the key KEPT, because a random key would lead elsewhere at the next visit: such a session stays until its pod goes.
"""

import hashlib
from collections.abc import Iterator

from remora.haproxy.grammar import NEW_IDENTIFIER, Directive, address_and_port, rule
from remora.haproxy.pool import Algorithm

KEPT = "kept"
"""The key of a balanced session that follows its server and not the ring."""

ELSEWHERE = "{ var(txn.former_server) -m found } !{ srv_name,strcmp(txn.former_server) eq 0 }"
"""Holds for an answer of another pod than the one to which such a cookie leads."""

_DIGEST_LENGTH = 32


def former_key(backend: str, address: str, port: int) -> str:
    """The key that ingress-nginx gives a pod in persistent mode: lower-case hex `md5(N + "ip:port")`, N the backend's name."""
    text = backend + address_and_port(address, port)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def request_rules(algorithm: Algorithm, servers_map: str, *, keeps: str = "") -> Iterator[Directive]:
    """Finds `txn.former_server`; all but one test is only for those that have such a cookie.

    `keeps` holds where such a session becomes ours, and is to stay on its pod; without it, everywhere.
    """
    if algorithm is Algorithm.PERSISTENT:
        find = f"be_name,concat(/,txn.session),map_str({servers_map})"
        is_former = f"{{ var(txn.session) -m len {_DIGEST_LENGTH} }}"
        yield rule("http-request set-var(txn.former_server)", find, when=is_former)
    if algorithm is Algorithm.BALANCED:
        # Our own sessions have a `~`, and what is no cookie at all has a semicolon; the key of a new session is made later.
        is_former = "!{ var(txn.value) -m sub ~ ; } { var(txn.value) -m len gt 0 } !{ var(txn.former_server) -m found }"
        yield rule("http-request lua.find_former_server", when=is_former)
        is_found = "{ var(txn.former_server) -m found }"
        yield rule(f"http-request set-var(txn.key) str({KEPT})", when=f"{is_found} {keeps}".rstrip())
        gone = f"!{{ be_name,concat(/,txn.session),map_str({servers_map}) -m found }}"
        yield rule("http-request set-var(txn.key)", NEW_IDENTIFIER, when=f"{{ var(txn.key) -m str {KEPT} }} !{is_found} {gone}")


def choosing_rules(algorithm: Algorithm) -> Iterator[Directive]:
    """Follows what was found, before the session itself: an unknown name would end HAProxy's search."""
    yield rule("use-server", "%[var(txn.former_server)]", when="{ var(txn.former_server) -m found }")
    if algorithm is Algorithm.BALANCED:
        yield rule("use-server", "%[var(txn.session)]", when=f"{{ var(txn.key) -m str {KEPT} }}")
