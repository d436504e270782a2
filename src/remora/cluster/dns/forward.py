"""Names that the cluster does not know: the machine's own DNS servers are asked, as its resolv.conf names them."""

import asyncio
import contextlib
from collections.abc import Container
from ipaddress import ip_address
from pathlib import Path

import dns.exception
import dns.flags
import dns.message

_PATIENCE = 2.0
"""Seconds for each server."""
_MOST_SERVERS = 3
"""As many as libc asks."""
_AT_ONCE = 200
_PORT = 53


class Forwarder:
    """Asks in the order of resolv.conf, which is read anew for each question: it changes when a machine moves between networks.

    `own` are addresses that would lead back here.
    """

    def __init__(self, *, resolv_conf: Path = Path("/etc/resolv.conf"), own: Container[str] = (), port: int = _PORT) -> None:
        self._resolv_conf = resolv_conf
        self._own = own
        self._port = port
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, question: dns.message.QueryMessage) -> dns.message.Message | None:
        """The first server's answer, or None if none answers."""
        # It brings an HTTP client along if one is installed: a tenth of the cluster's start, for those who ask outside of it.
        import dns.asyncquery

        query = dns.message.make_query(
            question.question[0].name, question.question[0].rdtype, use_edns=True, want_dnssec=bool(question.ednsflags)
        )
        async with self._slots:
            for server in self._servers():
                with contextlib.suppress(dns.exception.DNSException, OSError, EOFError):
                    found, _ = await dns.asyncquery.udp_with_fallback(query, server, timeout=_PATIENCE, port=self._port)
                    return found
        return None

    def _servers(self) -> list[str]:
        try:
            text = self._resolv_conf.read_text(errors="replace")
        except OSError:
            return []
        return [server for server in name_servers(text) if server not in self._own][:_MOST_SERVERS]


def name_servers(text: str) -> list[str]:
    """The addresses of DNS servers in a resolv.conf."""
    found = []
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["nameserver"] and len(words) > 1:
            with contextlib.suppress(ValueError):
                ip_address(words[1].partition("%")[0])
                found.append(words[1])
    return found
