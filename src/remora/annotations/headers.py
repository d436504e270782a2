"""Headers to pods and clients (behaviour reference, part A, section 10)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers that are set on the way."""

    upstream_vhost: str = planned("upstream-vhost", "The Host header sent to the pod.")
    custom: str = planned("custom-headers", "The ConfigMap with headers set on responses.", risk=Risk.MEDIUM)
    connection: str = planned("connection-proxy-header", "The Connection header sent to the pod.")
