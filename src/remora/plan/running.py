"""What HAProxy runs, as it has confirmed it."""

from collections.abc import Mapping

import msgspec

from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.haproxy.certificates import LoadedCertificate
from remora.haproxy.configuration import ProxyBackend, Server
from remora.haproxy.features.streams import Port
from remora.haproxy.hosts import HostPart
from remora.haproxy.pool import BackendClass, Slot


class Running(msgspec.Struct, frozen=True):
    """The state of one HAProxy worker. Mappings are not to be changed.

    `pool` is how many backends of each class are declared; `dedicated` names the backends that are declared by name.
    `slots` is which slot serves a backend (a dedicated one is its own slot). `servers` are those that a backend may use, by
    backend; `leaving` are the servers that are in maintenance until nothing is connected to them any more, by slot. `given_up`
    are those of slots to which no route leads any more, by slot: ready as before until no request is in the slot.
    `options` are those of the program, None where it was found running.
    """

    digest: str
    peers: str = ""
    """The digest of the file that names its peers."""
    pool: Mapping[BackendClass, int] = {}
    dedicated: frozenset[str] = frozenset()
    slots: Mapping[str, Slot] = {}
    servers: Mapping[str, tuple[Server, ...]] = {}
    backends: Mapping[str, ProxyBackend] = {}
    """Those whose servers they are; none where they were found running."""
    leaving: Mapping[Slot, tuple[Server, ...]] = {}
    given_up: Mapping[Slot, tuple[Server, ...]] = {}
    orphaned: frozenset[Slot] = frozenset()
    """Slots of which nothing is left but servers that are leaving."""
    unused: Mapping[str, tuple[Slot, ...]] = {}
    """The slots that serve nothing and have no server, last first, by name of a class, of those classes that were looked
    through for some."""
    hosts: Mapping[Hostname, HostPart] = {}
    certificates: Mapping[str, LoadedCertificate] = {}
    streams: Mapping[str, str] = {}
    """Where connections go that are passed on as they are: a key of the map to a backend."""
    ports: tuple[Port, ...] = ()
    files: frozenset[str] = frozenset()
    """What is loaded for connections to pods, by name; until the next worker also what is not needed any more."""
    options: ProxyOptions | None = None


class Step(msgspec.Struct, frozen=True):
    """From what runs to what is to run, and where the two may differ: names of backends, and hosts. Nothing else in the two is
    looked at, so a step costs what it changes."""

    before: Running
    after: Running
    backends: tuple[str, ...]
    hosts: tuple[Hostname, ...]
