"""What keeps an Ingress that asks for it from having its TLS passed through (behaviour reference, part B, section 6).

What a host lacks for it is told in `streams`.
"""

from collections.abc import Iterator

from remora.annotations.registry import Parsed
from remora.annotations.tls import Tls
from remora.core.names import ObjectRef
from remora.core.problem import Problem
from remora.core.settings import RoutingSettings


def passthrough_problems(settings: RoutingSettings, ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """Without the flag nothing is passed through."""
    if parsed.of(Tls).passthrough and not settings.ssl_passthrough:
        message = "ssl-passthrough needs --enable-ssl-passthrough"
        consequence = "TLS ends here, as without the annotation"
        yield Problem(ref, "metadata.annotations", "PassthroughDisabled", message, consequence)
