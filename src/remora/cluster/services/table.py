"""What the layer-4 proxy is to do, as frozen values: listeners, and the servers behind each service port.

It stands between the API's objects (`translate`) and HAProxy (`configuration`, `plan`). Equality decides whether anything
happens, so everything here is sorted by the one who makes it.
"""

import msgspec

from remora.core.names import NamespacedName
from remora.core.problem import Problem


class Listener(msgspec.Struct, frozen=True, order=True):
    """One TCP address of one service port."""

    address: str
    port: int
    backend: str
    """Name of the `Backend` that its connections go to."""
    service: NamespacedName
    role: str
    """Which part of the Service asks for it: `ClusterIP`, `NodePort` or `LoadBalancer`."""

    @property
    def place(self) -> tuple[str, int]:
        """Address and port, of which there is one on a machine."""
        return (self.address, self.port)

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Server(msgspec.Struct, frozen=True, order=True):
    """One endpoint that takes new connections."""

    address: str
    port: int

    @property
    def name(self) -> str:
        """Unique in its backend, and the same after a reload."""
        return f"{self.address}:{self.port}"


class Backend(msgspec.Struct, frozen=True, order=True):
    """One service port with the endpoints to choose from."""

    name: str
    by_client_address: bool
    """A client address stays on its endpoint (`spec.sessionAffinity: ClientIP`); otherwise each connection draws one."""
    servers: tuple[Server, ...]


class Table(msgspec.Struct, frozen=True):
    """Everything the proxy does at one moment, and what it cannot do."""

    listeners: tuple[Listener, ...] = ()
    backends: tuple[Backend, ...] = ()
    problems: tuple[Problem, ...] = ()
