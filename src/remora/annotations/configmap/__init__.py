"""The keys of the controller's ConfigMap that no annotation has: a group by subject, a row by key, as for annotations.

Keys that replace the default of an annotation stand on that annotation's row.
"""

from remora.annotations.configmap.access import Access
from remora.annotations.configmap.client import ClientAddress, ClientConnections
from remora.annotations.configmap.compression import Compression
from remora.annotations.configmap.headers import GlobalHeaders
from remora.annotations.configmap.logging import Logging
from remora.annotations.configmap.others import GlobalAuth, StreamServices, UpstreamConnections
from remora.annotations.configmap.process import Process
from remora.annotations.configmap.tls import TlsSettings
from remora.annotations.configmap.tracing import Tracing

GROUPS: tuple[type, ...] = (
    Access, ClientAddress, ClientConnections, Compression, GlobalAuth, GlobalHeaders, Logging, Process,
    StreamServices, TlsSettings, Tracing, UpstreamConnections,
)  # fmt: skip

__all__ = [
    "GROUPS",
    "Access",
    "ClientAddress",
    "ClientConnections",
    "Compression",
    "GlobalAuth",
    "GlobalHeaders",
    "Logging",
    "Process",
    "StreamServices",
    "TlsSettings",
    "Tracing",
    "UpstreamConnections",
]
