"""Asking for a name: the hosts file first, then the DNS servers of resolv.conf, with its search domains and ndots."""

from contextlib import suppress
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.resolver
import msgspec

from remora.resolve.answers import Absent, Addresses, Reply, Silent
from remora.resolve.hosts_file import parse_hosts, preferred

PATIENCE = 5.0
"""Seconds for one kind of address, all servers and search domains together."""
HOSTS_LIFETIME = 5.0


class ResolverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`servers` are (address, port) of DNS servers, instead of those of resolv.conf."""

    servers: tuple[tuple[str, int], ...] = ()
    resolv_conf: str = "/etc/resolv.conf"
    hosts_file: str = "/etc/hosts"


class Lookup:
    """Finds the addresses of names."""

    def __init__(self, settings: ResolverSettings | None = None) -> None:
        self._settings = settings or ResolverSettings()

    async def find(self, name: str) -> Reply:
        """All A records of a name, or without one all AAAA records. A dot at its end makes the name absolute."""
        listed = parse_hosts(self._read_hosts()).get(name.removesuffix("."))
        if listed:
            return Addresses(preferred(listed), HOSTS_LIFETIME)
        try:
            resolver = self._resolver()
            return await _ask(resolver, name, "A") or await _ask(resolver, name, "AAAA") or Absent("it has no address record")
        except dns.resolver.NXDOMAIN:
            return Absent("there is no such name")
        except (dns.exception.DNSException, OSError, ValueError) as error:  # ValueError: resolv.conf names what is no server
            return Silent(_words(error))

    def _read_hosts(self) -> str:
        try:
            return Path(self._settings.hosts_file).read_text(errors="replace")
        except OSError:
            return ""

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Made anew for each question: resolv.conf changes when a machine moves between networks."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        with suppress(dns.resolver.NoResolverConfiguration):
            resolver.read_resolv_conf(self._settings.resolv_conf)
        if self._settings.servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._settings.servers]
        return resolver


async def _ask(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> Addresses | None:
    try:
        answer = await resolver.resolve(name, kind, search=True, lifetime=PATIENCE)
    except dns.resolver.NoAnswer:
        return None
    found = tuple(dict.fromkeys(record.address for record in answer))
    return Addresses(found, float(answer.rrset.ttl if answer.rrset else 0)) if found else None


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
