"""Tracing and GeoIP (behaviour reference, configuration, section 2.8)."""

from dataclasses import dataclass

from remora.annotations.declare import idle_setting, planned_setting

_OFF = ("0", "f", "false", "off")
_GONE = "ingress-nginx does not read it any more."


@dataclass(frozen=True, slots=True)
class Tracing:
    """Spans and where they are sent; where clients are."""

    config: str = planned_setting("opentelemetry-config", "A file with the settings of the tracer.")
    host: str = planned_setting("otlp-collector-host", "Where spans are sent.")
    port: str = planned_setting("otlp-collector-port", "The port there.", usual=("4317",))
    service: str = planned_setting("otel-service-name", "What spans are called by.")
    sampler: str = planned_setting("otel-sampler", "Which requests are traced.")
    ratio: str = planned_setting("otel-sampler-ratio", "How many.")
    parent: str = planned_setting("otel-sampler-parent-based", "Whether the client decides.")
    queue: str = planned_setting("otel-max-queuesize", "Spans that wait.")
    delay: str = planned_setting("otel-schedule-delay-millis", "How long they wait.")
    batch: str = planned_setting("otel-max-export-batch-size", "Spans in one message.")
    geoip: str = idle_setting("use-geoip", "GeoIP.", _GONE)
    geoip2: str = planned_setting("use-geoip2", "Variables about where a client is.", usual=_OFF)
    geoip2_reload: str = planned_setting("geoip2-autoreload-in-minutes", "Reads the databases again.", usual=("0",))
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
