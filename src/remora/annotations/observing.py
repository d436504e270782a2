"""Tracing and logs (behaviour reference, part B, section 7)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, is_off, planned


@dataclass(frozen=True, slots=True)
class Observing:
    """What is told about requests."""

    tracing: str = planned("enable-opentelemetry", "Sends traces.", global_key="enable-opentelemetry", inert=is_off)
    trust_incoming_span: str = planned(
        "opentelemetry-trust-incoming-span",
        "Whether a client's trace is continued.",
        global_key="opentelemetry-trust-incoming-span",
    )
    operation_name: str = planned(
        "opentelemetry-operation-name", "The name of a span.", risk=Risk.MEDIUM, global_key="opentelemetry-operation-name"
    )
    access_log: str = planned(
        "enable-access-log", "Whether requests are logged.", inert=lambda text: text.strip() in ("true", "True", "1", "t")
    )
    rewrite_log: str = planned("enable-rewrite-log", "Logs rewrites.", inert=is_off)
