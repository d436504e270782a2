"""A certificate as entries of the crt-list.

HAProxy takes 64 kB in a line of a crt-list and 16 kB at run time, and one Secret may serve any number of hosts; so these are
dealt out to several entries. An entry's name holds the digest of its hosts: with other hosts it is another entry, which is
there before the old one goes, so that no handshake falls between the two.
"""

import hashlib
import zlib
from collections.abc import Iterator

import msgspec

from remora.core.names import Hostname
from remora.haproxy.layout import Layout
from remora.model import USUAL_TLS, Certificate

HOSTS_PER_ENTRY = 32
"""On average. A host's name has at most 253 bytes."""


class LoadedCertificate(msgspec.Struct, frozen=True):
    """A certificate in the crt-list: the digest of its PEM and the hosts that it is listed for."""

    digest: str
    hosts: tuple[Hostname, ...]

    @property
    def text(self) -> str:
        """As it stands in the map `certificates`: digest and hosts, by blanks."""
        return " ".join((self.digest, *self.hosts))

    @classmethod
    def parse(cls, text: str) -> "LoadedCertificate":
        """The reverse of `text`."""
        digest, *hosts = text.split()
        return cls(digest, tuple(map(Hostname, hosts)))


def loaded_certificate(entry: Certificate) -> LoadedCertificate:
    """An entry as it stands in HAProxy."""
    return LoadedCertificate(hashlib.sha256(entry.pem).hexdigest(), entry.hosts)


def entries_of(certificate: Certificate) -> Iterator[Certificate]:
    """The certificate once for each entry; the default certificate, which has no hosts, as it is."""
    if not certificate.hosts:
        yield certificate
        return
    # A power of two, so that a host more seldom moves others.
    count = 1 << ((len(certificate.hosts) - 1) // HOSTS_PER_ENTRY).bit_length()
    dealt: dict[int, list[Hostname]] = {}
    for host in certificate.hosts:
        dealt.setdefault(zlib.crc32(host.encode()) % count, []).append(host)
    for _, hosts in sorted(dealt.items()):
        digest = hashlib.sha256(" ".join(hosts).encode()).hexdigest()[:12]
        yield msgspec.structs.replace(certificate, name=f"{certificate.name}~{digest}", hosts=tuple(hosts))


def crt_list_line(entry: Certificate, layout: Layout) -> str:
    """The entry's line of the crt-list, on the runtime socket too. Clients are asked for a certificate, and what theirs is
    worth is decided by request (`features.client_tls`)."""
    tls = entry.tls
    words: list[str] = []
    if tls.authority:
        words += ["ca-file", layout.upstream_file(tls.authority), "verify", "optional"]
    if tls.revoked:
        words += ["crl-file", layout.upstream_file(tls.revoked)]
    if tls.ciphers:
        words += ["ciphers", tls.ciphers]
    if tls.stapled:
        words += ["ocsp-update", "on"]
    options = [f"[{' '.join(words)}]"] if tls != USUAL_TLS else []
    return " ".join((layout.certificate(entry.name), *options, *entry.hosts))
