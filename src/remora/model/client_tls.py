"""Certificates that clients show."""

import hashlib
from enum import Enum

import msgspec


class ClientCheck(Enum):
    """What is asked of clients."""

    DEMANDED = "demanded"
    """A certificate of the authority."""
    OPTIONAL = "optional"
    """None, or one of the authority."""
    ANY_AUTHORITY = "any authority"
    """None, or one that is in order but for its authority."""
    NOTHING = "nothing"
    """They are not asked; pods are told so."""
    REFUSED = "refused"
    """Nobody may come in: what was wanted cannot be had."""


class ClientTls(msgspec.Struct, frozen=True, gc=False):
    """What clients of a host must show. `authority` and `revoked` are names of files (`model.upstream`), "" for none.

    `subject` is a PCRE that must find itself in the certificate's subject, "" for any; `error_page` is where those are sent
    whose certificate is none or a bad one.
    """

    check: ClientCheck
    authority: str = ""
    revoked: str = ""
    subject: str = ""
    error_page: str = ""
    passes_certificate: bool = False
    depth: int = 1
    """How many authorities a client may send that stand between its certificate and a trusted one."""

    @property
    def trust(self) -> str:
        """A name for what certificates are judged by: hosts with the same one take the same certificates."""
        text = f"{self.authority} {self.revoked} {self.depth}"
        return hashlib.sha256(text.encode()).hexdigest()[:16] if self.authority else ""


class HostTls(msgspec.Struct, frozen=True, gc=False):
    """How TLS is spoken with clients of a host, beside its certificate. The first two are as in ClientTls; no `ciphers` stand
    for the usual ones. `stapled` says that clients are told what the certificate's issuer says of it."""

    authority: str = ""
    revoked: str = ""
    ciphers: str = ""
    stapled: bool = False


USUAL_TLS = HostTls()
