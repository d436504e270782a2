"""A certificate with its private key."""

import msgspec

from remora.core.names import Hostname
from remora.model.client_tls import USUAL_TLS, HostTls


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """`name` is unique and stable for the source of the certificate (`namespace/secret`); `hosts` are those it is served for.

    `pem` is the certificate chain followed by the private key. The empty tuple of hosts means the default certificate.
    """

    name: str
    hosts: tuple[Hostname, ...]
    pem: bytes
    tls: HostTls = USUAL_TLS

    def __repr__(self) -> str:
        return f"Certificate({self.name}, hosts={list(self.hosts)})"
