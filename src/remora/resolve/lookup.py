"""Asking for a name: the hosts file first, then the DNS servers of resolv.conf."""

from pathlib import Path

import msgspec

from remora.resolve.answers import Addresses, Reply
from remora.resolve.hosts_file import parse_hosts, preferred

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
        # Only now, since it takes a tenth of the controller's start and most clusters name nothing that DNS is asked for.
        from remora.resolve.dns_servers import ask_servers

        return await ask_servers(name, resolv_conf=self._settings.resolv_conf, servers=self._settings.servers)

    def _read_hosts(self) -> str:
        try:
            return Path(self._settings.hosts_file).read_text(errors="replace")
        except OSError:
            return ""
