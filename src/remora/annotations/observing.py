"""Tracing and logs (behaviour reference, part B, section 7)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import Risk, Support, annotation
from remora.annotations.values import ValueRefused, boolean, shown, trimmed


def span_name(text: str) -> str:
    """What a span is called: ASCII letters and what ingress-nginx allows beside them."""
    value = trimmed(text)
    if not re.fullmatch(r"[A-Za-z0-9_\-./:$ {}]{1,256}", value):
        raise ValueRefused(f"{shown(value)} has other characters than letters, digits and -_./:")
    return value


@dataclass(frozen=True, slots=True)
class Observing:
    """What is told about requests."""

    tracing: bool = annotation(
        "enable-opentelemetry",
        boolean,
        default=False,
        doc="Gives every request a span; pods are told of it in `traceparent`.",
        global_key="enable-opentelemetry",
        accepts=("true",),
        refuses=("on",),
        haproxy=("http-request set-header",),
        support=Support.PARTIAL,
        differs="Spans leave by OTLP/HTTP (JSON), not by gRPC, and have the precision of milliseconds.",
    )
    trust_incoming_span: bool = annotation(
        "opentelemetry-trust-incoming-span",
        boolean,
        default=True,
        doc="Whether a client's trace is continued, or each request begins its own.",
        global_key="opentelemetry-trust-incoming-span",
        accepts=("false",),
        refuses=("no",),
        haproxy=("http-request set-header",),
    )
    operation_name: str = annotation(
        "opentelemetry-operation-name",
        span_name,
        default="",
        doc="The name of a span; `METHOD path-of-the-route` without it.",
        risk=Risk.MEDIUM,
        global_key="opentelemetry-operation-name",
        support=Support.PARTIAL,
        differs="Variables in it are not replaced.",
        accepts=("checkout",),
        refuses=("a;b", "a\nb: }"),
    )
    access_log: bool = annotation(
        "enable-access-log",
        boolean,
        default=True,
        doc="Whether requests are in the access log, if there is one (see `disable-access-log` of the ConfigMap).",
        accepts=("false",),
        refuses=("off",),
    )
    rewrite_log: bool = annotation(
        "enable-rewrite-log",
        boolean,
        default=False,
        doc="Logs how nginx rewrites.",
        support=Support.WITHOUT_EFFECT,
        differs="`remora explain` tells how a path is rewritten.",
        accepts=("true", "false"),
        refuses=("on",),
    )
