"""Where a client that must sign in is sent, in place of a 401.

`txn.external_auth` is found where another service authenticates; its policy may name the place (`features.external_auth`).
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule


def rules_before_challenge(*, when: str) -> Iterator[Directive]:
    """What stands before a refusal with 401, and before its error page; `when` is that of the refusal."""
    yield rule("http-request lua.find_sign_in", when=f"{when} {{ var(txn.external_auth) -m found }}")
    yield rule("http-request redirect location %[var(txn.sign_in)] code 302", when=f"{when} {{ var(txn.sign_in) -m found }}")
