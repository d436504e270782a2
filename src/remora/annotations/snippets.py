"""nginx configuration in annotations (behaviour reference, part B, section 9).

What a snippet does is not known until it is read, and it may be what keeps strangers out; so it guards.
"""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, planned


@dataclass(frozen=True, slots=True)
class Snippets:
    """nginx configuration for the Ingress's locations, its host, or the stream section."""

    configuration: str = planned(
        "configuration-snippet", "nginx configuration for every path.", guards=True, risk=Risk.CRITICAL
    )
    server: str = planned(
        "server-snippet", "nginx configuration for the host.", guards=True, scope=Scope.HOST, risk=Risk.CRITICAL
    )
    stream: str = planned(
        "stream-snippet", "nginx configuration for TCP and UDP.", guards=True, scope=Scope.HOST, risk=Risk.CRITICAL
    )
