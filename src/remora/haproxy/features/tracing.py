"""Spans of requests, as pods are told of them: the header `traceparent` (W3C Trace Context, section 3.2).

A request without a trace, or with one that its route does not trust, begins one. Where spans are sampled is decided here, and
the controller sends those whose line says so. Without tracing the header passes through like any other.
"""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.grammar import Directive, rule
from remora.model import Tracing

_JOINS = "join"
_BEGINS = "begin"

_IS_TRACED = "{ var(txn.tracing) -m found }"
_HAS_PARENT = "{ var(txn.parent) -m found }"
_PARENT = "^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-9a-f]$"
_NONE = "^00-(0{32}-|[0-9a-f]{32}-0{16})"
_MILLION = 1_000_000


def request_rules(options: ProxyOptions, tracing_map: str) -> Iterator[Directive]:
    """`txn.trace`, `txn.span` and `txn.parent` are what the line about the request says; the last digit of `txn.sampled`
    is the flag."""
    yield rule("http-request set-var(txn.tracing)", f"var(txn.route),map_str({tracing_map})")
    joins = f"{{ var(txn.tracing) -m str {_JOINS} }} {{ req.hdr_cnt(traceparent) 1 }}"
    is_one = f"{{ req.hdr(traceparent) -m reg {_PARENT} }} !{{ req.hdr(traceparent) -m reg {_NONE} }}"
    yield rule("http-request set-var(txn.parent)", "req.hdr(traceparent)", when=f"{joins} {is_one}")
    yield rule("http-request set-var(txn.trace)", "var(txn.parent),field(2,-)", when=_HAS_PARENT)
    yield rule("http-request set-var(txn.trace)", "uuid,regsub(-,,g)", when=f"{_IS_TRACED} !{_HAS_PARENT}")
    yield rule("http-request set-var(txn.span)", "uuid,regsub(-,,g),regsub(.{16}$,)", when=_IS_TRACED)
    yield rule("http-request set-var(txn.sampled) str(00)", when=_IS_TRACED)
    yield from _sampling_rules(options)
    # A client's state belongs to its trace.
    yield rule("http-request del-header tracestate", when=f"{_IS_TRACED} !{_HAS_PARENT}")
    sent = "00-%[var(txn.trace)]-%[var(txn.span)]-%[var(txn.sampled)]"
    yield rule("http-request set-header traceparent", sent, when=_IS_TRACED)


def _sampling_rules(options: ProxyOptions) -> Iterator[Directive]:
    sampled = "http-request set-var(txn.sampled) str(01)"
    own = _IS_TRACED
    if options.otel_sampler_parent_based:
        was_sampled = "{ var(txn.parent) -m reg [13579bdf]$ }"
        yield rule(sampled, when=f"{_HAS_PARENT} {was_sampled}")
        own = f"{_IS_TRACED} !{_HAS_PARENT}"
    if options.otel_sampler == "AlwaysOn":
        yield rule(sampled, when=own)
    elif options.otel_sampler == "TraceIdRatioBased":
        yield rule(sampled, when=f"{own} {{ rand({_MILLION}) lt {round(options.otel_sampler_ratio * _MILLION)} }}")


def tracing_entry(tracing: Tracing | None) -> str:
    """The value in the map `tracing`; "" for a route that is not traced."""
    if tracing is None:
        return ""
    return _JOINS if tracing.trusts else _BEGINS
