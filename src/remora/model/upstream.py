"""How the endpoints of a backend are spoken to."""

import hashlib
from enum import Enum

import msgspec


class Protocol(Enum):
    """What endpoints speak, inside TLS or without it."""

    HTTP = "http"
    HTTP2 = "http2"
    """HTTP/2 from the first byte on, as gRPC needs it."""
    FASTCGI = "fastcgi"


class FileKind(Enum):
    """What a file is for."""

    AUTHORITY = "authority"
    """The certificates that are trusted."""
    CERTIFICATE = "certificate"
    """A certificate with its key, which is shown."""
    REVOCATIONS = "revocations"
    """Which certificates are trusted no more."""


class UpstreamFile(msgspec.Struct, frozen=True, gc=False):
    """Something in PEM that connections to endpoints need, or those of clients that show a certificate. The name
    tells the content: another content has another name."""

    kind: FileKind
    pem: bytes

    @property
    def name(self) -> str:
        return f"{self.kind.value}-{hashlib.sha256(self.pem).hexdigest()[:24]}"

    def __repr__(self) -> str:
        return f"UpstreamFile({self.name})"


class UpstreamTls(msgspec.Struct, frozen=True, gc=False):
    """TLS towards endpoints. `authority` and `certificate` are names of files, "" for none.

    With `verifies` an endpoint must show a certificate of the authority, for `name` unless that is "". `sends_name` says that
    it is told the name in its turn. `protocols` are the versions, none for the usual ones.
    """

    verifies: bool = False
    name: str = ""
    sends_name: bool = False
    protocols: tuple[str, ...] = ()
    ciphers: str = ""
    authority: str = ""
    certificate: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files."""
        return tuple(name for name in (self.authority, self.certificate) if name)


FASTCGI_VARIABLES = frozenset(
    (
        *("args", "document_root", "document_uri", "fastcgi_path_info", "fastcgi_script_name", "host", "query_string"),
        *("remote_addr", "remote_port", "request_method", "request_uri", "scheme", "server_addr", "server_port"),
        *("server_protocol", "uri"),
    )
)
"""What parameters of FastCGI may hold, beside `http_NAME` for a header. The names are nginx's."""


class FastCgi(msgspec.Struct, frozen=True, gc=False):
    """What FastCGI applications are told. Values are text, the name of a variable, text, and so on; they begin and end with
    text. `index` stands for a folder."""

    index: str = ""
    parameters: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Upstream(msgspec.Struct, frozen=True, gc=False):
    """How endpoints are spoken to: over plain HTTP/1.1 unless something is said. `sends_proxy` tells them who the client is by
    the PROXY protocol."""

    protocol: Protocol = Protocol.HTTP
    tls: UpstreamTls | None = None
    fastcgi: FastCgi | None = None
    sends_proxy: bool = False

    @property
    def suffix(self) -> str:
        """What tells backends apart that speak to the same endpoints in several ways; "" for the usual one."""
        if self == PLAIN_UPSTREAM:
            return ""
        words = [self.protocol.value, *["tls"] * (self.tls is not None), *["proxy"] * self.sends_proxy]
        details = (self.tls, self.fastcgi)
        text = f"@{'-'.join(words)}"
        if details in ((None, None), (UpstreamTls(), None)):
            return text
        return f"{text}.{hashlib.sha256(repr(details).encode()).hexdigest()[:12]}"


PLAIN_UPSTREAM = Upstream()
