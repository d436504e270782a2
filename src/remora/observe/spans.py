"""Spans of requests, as OpenTelemetry's collectors take them (OTLP 1.x over HTTP, in JSON)."""

import json
from collections.abc import Sequence

import msgspec

from remora.core.options import ProxyOptions
from remora.observe.request_labels import RequestLabels
from remora.observe.request_line import ABSENT, RequestLine, decoded

SERVER = 2
"""`SPAN_KIND_SERVER`."""
_ERROR = 2


class Span(msgspec.Struct, frozen=True, gc=False):
    """A request as a span. Times are in nanoseconds since 1970; `parent` is "" for the first of a trace."""

    trace: str
    id: str
    parent: str
    name: str
    start: int
    end: int
    attributes: tuple[tuple[str, str | int], ...]
    failed: bool


def find_span(line: RequestLine, labels: RequestLabels, *, now: float) -> Span | None:
    """The span of a request that is over now; None if it has none or is not sampled."""
    if line.text("sampled") != "01" or line.text("trace") == ABSENT:
        return None
    sent, _ = line.captured()
    path, _, query = decoded(sent[0] if sent else "").partition("?")
    status, method = int(line.text("status")), line.text("method")
    attributes: list[tuple[str, str | int]] = [
        ("http.request.method", method),
        ("http.response.status_code", status),
        ("http.route", labels.path),
        ("url.path", path),
        ("url.scheme", "https" if line.text("frontend").startswith("https") else "http"),
        ("server.address", labels.host),
        ("client.address", line.text("client")),
        ("http.request.size", line.milliseconds("received")),
        ("http.response.size", line.milliseconds("sent")),
        ("k8s.namespace.name", labels.namespace),
        ("k8s.ingress.name", labels.ingress),
        ("upstream.address", line.text("server")),
    ]
    if query:
        attributes.append(("url.query", query))
    end = int(now * 1e9)
    parent = line.text("parent")
    return Span(
        line.text("trace"),
        line.text("span"),
        parent.split("-")[2] if parent != ABSENT else "",
        labels.span_name or f"{method} {labels.path}",
        end - max(0, line.milliseconds("active")) * 1_000_000,
        end,
        tuple(attributes),
        status >= 500,
    )


def encode_spans(spans: Sequence[Span], options: ProxyOptions) -> bytes:
    """`ExportTraceServiceRequest` in JSON: numbers of 64 bits as text, ids in hex."""
    scope = {"scope": {"name": "remora"}, "spans": [_span(one) for one in spans]}
    resource = {"attributes": [_attribute("service.name", options.otel_service_name)]}
    text = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def _span(span: Span) -> dict[str, object]:
    parent = {"parentSpanId": span.parent} if span.parent else {}
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **parent,
        "name": span.name,
        "kind": SERVER,
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": [_attribute(name, value) for name, value in span.attributes],
        "status": {"code": _ERROR} if span.failed else {},
    }


def _attribute(name: str, value: str | int) -> dict[str, object]:
    return {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
