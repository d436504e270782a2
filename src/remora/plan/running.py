"""What HAProxy runs, as it has confirmed it."""

from collections.abc import Mapping

import msgspec

from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.haproxy.configuration import Server
from remora.haproxy.features.streams import Port
from remora.haproxy.hosts import HostPart
from remora.haproxy.pool import BackendClass, Slot


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


class Running(msgspec.Struct, frozen=True):
    """The state of one HAProxy worker. Mappings are not to be changed.

    `pool` is how many backends of each class are declared; `dedicated` names the backends that are declared by name.
    `slots` is which slot serves a backend (a dedicated one is its own slot). `servers` are those that a backend may use, by
    backend; `leaving` are the servers that are in maintenance until nothing is connected to them any more, by slot.
    `options` are those of the program, None where it was found running.
    """

    digest: str
    peers: str = ""
    """The digest of the file that names its peers."""
    pool: Mapping[BackendClass, int] = {}
    dedicated: frozenset[str] = frozenset()
    slots: Mapping[str, Slot] = {}
    servers: Mapping[str, tuple[Server, ...]] = {}
    leaving: Mapping[Slot, tuple[Server, ...]] = {}
    hosts: Mapping[Hostname, HostPart] = {}
    certificates: Mapping[str, LoadedCertificate] = {}
    streams: Mapping[str, str] = {}
    """Where connections go that are passed on as they are: a key of the map to a backend."""
    ports: tuple[Port, ...] = ()
    files: frozenset[str] = frozenset()
    """What is loaded for connections to pods, by name; until the next worker also what is not needed any more."""
    options: ProxyOptions | None = None
