"""Who may come in: lists of addresses, names with passwords, and how these and others count together."""

from enum import Enum

import msgspec


class Scheme(Enum):
    """How a client proves that it knows a password."""

    BASIC = "basic"
    """RFC 7617; passwords are kept as hashes of any kind that `htpasswd` makes."""
    DIGEST = "digest"
    """RFC 7616 with MD5; kept is `MD5(user:realm:password)`."""


class Login(msgspec.Struct, frozen=True, gc=False):
    """Names, and what their passwords must fit. Its values print redacted."""

    scheme: Scheme
    realm: str
    users: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Login({self.scheme}, {self.realm!r}, {len(self.users)} users)"


class Access(msgspec.Struct, frozen=True, gc=False):
    """What a request must satisfy. `allow` and `deny` are networks; None allows every address.

    `satisfies_any` lets one party that grants be enough: the list of allowed addresses, the login, or an external service.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    login: Login | None = None
    satisfies_any: bool = False


OPEN = Access()
"""Asks for nothing."""
