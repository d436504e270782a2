"""Tracing and GeoIP (behaviour reference, configuration, section 2.8)."""

import re
from dataclasses import dataclass

from remora.annotations.configmap.values import alphabet, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import ValueRefused, boolean, choice, shown, trimmed

_NO_PLACES = "Where a client is, is not known; the variables of it are empty."
_GONE = "ingress-nginx does not read it any more."


def ratio(text: str) -> float:
    """A number from 0 to 1."""
    value = trimmed(text)
    if not re.fullmatch(r"[0-9]{0,10}\.?[0-9]{1,10}", value) or float(value) > 1:
        raise ValueRefused(f"{shown(value)} is not a number from 0 to 1")
    return float(value)


@dataclass(frozen=True, slots=True)
class Tracing:
    """Spans and where they are sent; where clients are."""

    config: str = idle_setting("opentelemetry-config", "A file with the settings of the tracer.", "The other keys say it all.")
    host: str = global_setting(
        "otlp-collector-host",
        alphabet("[A-Za-z0-9_.:-]{1,253}", "the name or address of a host"),
        default="",
        doc="Where spans are sent; nowhere without it.",
        accepts=("otel-collector.observe.svc",),
        refuses=("a b", "a/b"),
    )
    port: int = global_setting(
        "otlp-collector-port",
        whole(1, 65535),
        default=4318,
        support=Support.PARTIAL,
        differs="It is the port for OTLP/HTTP, usually 4318; gRPC, usually 4317, is not spoken.",
        doc="The port there.",
        accepts=("4320",),
        refuses=("many", "70000"),
    )
    service: str = global_setting(
        "otel-service-name",
        alphabet("[A-Za-z0-9_./:-]{1,100}", "a name"),
        default="nginx",
        doc="The `service.name` of spans.",
        accepts=("edge",),
        refuses=("a b",),
    )
    sampler: str = global_setting(
        "otel-sampler",
        choice("AlwaysOn", "AlwaysOff", "TraceIdRatioBased"),
        default="AlwaysOn",
        doc="Which requests' spans are sent.",
        accepts=("AlwaysOff", "TraceIdRatioBased"),
        refuses=("Sometimes",),
        haproxy=("http-request set-var",),
    )
    ratio: float = global_setting(
        "otel-sampler-ratio",
        ratio,
        default=0.01,
        support=Support.PARTIAL,
        differs="Chance decides, not the trace's id.",
        doc="Their share with TraceIdRatioBased.",
        accepts=("0.5", "1"),
        refuses=("1.5", "-1", "many", "nan"),
        haproxy=("http-request set-var",),
    )
    parent: bool = global_setting(
        "otel-sampler-parent-based",
        boolean,
        default=True,
        doc="Whether a client's trace says itself if it is sampled.",
        accepts=("false",),
        refuses=("no",),
        haproxy=("http-request set-var",),
    )
    queue: int = global_setting(
        "otel-max-queuesize",
        whole(1, 100_000),
        default=2048,
        doc="Spans that wait at most; more are dropped and counted.",
        accepts=("4096",),
        refuses=("0", "many"),
    )
    delay: int = global_setting(
        "otel-schedule-delay-millis",
        whole(10, 3_600_000),
        default=5000,
        doc="How long they wait.",
        accepts=("1000",),
        refuses=("0", "soon"),
    )
    batch: int = global_setting(
        "otel-max-export-batch-size",
        whole(1, 10_000),
        default=512,
        doc="Spans in one message.",
        accepts=("100",),
        refuses=("0", "many"),
    )
    geoip: str = idle_setting("use-geoip", "GeoIP.", _GONE)
    geoip2: str = idle_setting("use-geoip2", "Variables about where a client is.", _NO_PLACES)
    geoip2_reload: str = idle_setting("geoip2-autoreload-in-minutes", "Reads the databases again.", _NO_PLACES)
    jaeger_host: str = idle_setting("jaeger-collector-host", "Jaeger.", _GONE)
    jaeger_port: str = idle_setting("jaeger-collector-port", "Jaeger.", _GONE)
    jaeger_endpoint: str = idle_setting("jaeger-endpoint", "Jaeger.", _GONE)
    jaeger_service: str = idle_setting("jaeger-service-name", "Jaeger.", _GONE)
    jaeger_format: str = idle_setting("jaeger-propagation-format", "Jaeger.", _GONE)
    jaeger_sampler: str = idle_setting("jaeger-sampler-type", "Jaeger.", _GONE)
    jaeger_param: str = idle_setting("jaeger-sampler-param", "Jaeger.", _GONE)
    jaeger_sampler_host: str = idle_setting("jaeger-sampler-host", "Jaeger.", _GONE)
    jaeger_sampler_port: str = idle_setting("jaeger-sampler-port", "Jaeger.", _GONE)
    jaeger_trace_header: str = idle_setting("jaeger-trace-context-header-name", "Jaeger.", _GONE)
    jaeger_debug: str = idle_setting("jaeger-debug-header", "Jaeger.", _GONE)
    jaeger_baggage: str = idle_setting("jaeger-baggage-header", "Jaeger.", _GONE)
    jaeger_baggage_prefix: str = idle_setting("jaeger-trace-baggage-header-prefix", "Jaeger.", _GONE)
