"""Asking the DNS servers of resolv.conf, with its search domains and ndots."""

from collections.abc import Sequence
from contextlib import suppress

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from remora.resolve.answers import Absent, Addresses, Reply, Silent

PATIENCE = 5.0
"""Seconds for one kind of address, all servers and search domains together."""


async def ask_servers(name: str, *, resolv_conf: str, servers: Sequence[tuple[str, int]]) -> Reply:
    """All A records of a name, or without one all AAAA records; `servers` stand in for those of resolv.conf."""
    try:
        resolver = _resolver(resolv_conf, servers)
        return await _ask(resolver, name, "A") or await _ask(resolver, name, "AAAA") or Absent("it has no address record")
    except dns.resolver.NXDOMAIN:
        return Absent("there is no such name")
    except (dns.exception.DNSException, OSError, ValueError) as error:  # ValueError: resolv.conf names what is no server
        return Silent(_words(error))


def _resolver(resolv_conf: str, servers: Sequence[tuple[str, int]]) -> dns.asyncresolver.Resolver:
    """Made anew for each question: resolv.conf changes when a machine moves between networks."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    with suppress(dns.resolver.NoResolverConfiguration):
        resolver.read_resolv_conf(resolv_conf)
    if servers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in servers]
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
