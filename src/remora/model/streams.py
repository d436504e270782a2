"""Connections that are passed on as they are, whatever is spoken in them."""

import msgspec

from remora.core.names import NamespacedName
from remora.model.backend import BackendName


class TcpService(msgspec.Struct, frozen=True, gc=False):
    """A port whose connections go to a backend. `accepts_proxy` says that they begin with a PROXY header; `origin` is who
    asked for it."""

    port: int
    backend: BackendName
    origin: NamespacedName
    accepts_proxy: bool = False
