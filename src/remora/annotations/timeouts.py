"""Timeouts and retries (behaviour reference, part B, section 4)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import LONGEST_TIME, nginx_time, words_of
from remora.annotations.declare import Risk, Support, annotation
from remora.annotations.values import ValueRefused, shown, up_to

_MOST_TRIES = 1000


def span(text: str) -> int:
    """Seconds, at least one: a number alone, or with a unit as people write it."""
    seconds = nginx_time(text)
    if not seconds:
        raise ValueRefused(f"{shown(text)} is no time at all")
    return seconds


_UNITS = "Units are understood as well: `90s`, `5m`, `1h 30m`; ingress-nginx takes such a value for none."


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a pod is waited for, and how often another one is tried."""

    connect: int = annotation(
        "proxy-connect-timeout",
        span,
        default=5,
        global_key="proxy-connect-timeout",
        support=Support.PARTIAL,
        differs="HAProxy has one time to connect for all routes, which only the ConfigMap's key changes; the annotation is "
        "read and has no effect. There are three tries, each on another pod. " + _UNITS,
        doc="Seconds to connect to a pod.",
        accepts=("5", "60s", "3600"),
        refuses=("0", "-1", "soon", ""),
        haproxy=("timeout connect",),
    )
    read: int = annotation(
        "proxy-read-timeout",
        span,
        default=60,
        global_key="proxy-read-timeout",
        support=Support.PARTIAL,
        differs="Where it is 60 an idle WebSocket lives for an hour; any other value holds for WebSockets too. " + _UNITS,
        doc="Seconds that a pod may be silent before it answers, and between two pieces of its answer.",
        accepts=("3600", "60s", "5m", "1h 30m"),
        refuses=("0", "-1", "60 apples", "9999999", f"{LONGEST_TIME + 1}"),
        haproxy=("timeout server", "timeout tunnel", "http-request set-timeout"),
    )
    send: int = annotation(
        "proxy-send-timeout",
        span,
        default=60,
        global_key="proxy-send-timeout",
        support=Support.PARTIAL,
        differs="HAProxy has one timer for both directions, that of `proxy-read-timeout`. " + _UNITS,
        doc="Seconds that a pod may read nothing while it is sent a request.",
        accepts=("3600", "60s"),
        refuses=("0", "later"),
    )
    next_upstream: tuple[str, ...] = annotation(
        "proxy-next-upstream",
        words_of(
            *("error", "timeout", "invalid_header", "http_500", "http_502", "http_503", "http_504"),
            *("http_403", "http_404", "http_429", "non_idempotent", "off"),
        ),
        default=("error", "timeout"),
        risk=Risk.MEDIUM,
        global_key="proxy-next-upstream",
        support=Support.PARTIAL,
        differs="Another pod is tried, never the same one while there are others. Only a request that fits into 15 kB with "
        "its body is sent a second time. `off` still tries another pod where one refuses the connection, since nothing was "
        "sent yet; `http_429` is not known to HAProxy. Other sets than `error timeout` and `off` cost one reload.",
        doc="What makes another pod be tried.",
        accepts=("error timeout", "error timeout http_502 http_503 http_504", "off", "non_idempotent error"),
        refuses=("http_418", "error;timeout", ""),
        haproxy=("retry-on", "http-request disable-l7-retry"),
    )
    next_upstream_timeout: int = annotation(
        "proxy-next-upstream-timeout",
        nginx_time,
        default=0,
        global_key="proxy-next-upstream-timeout",
        support=Support.PARTIAL,
        differs="HAProxy has no clock for all tries together: there are as many as can begin within that time if each pod is "
        "silent, and if that is one alone, silence does not make another pod be tried. " + _UNITS,
        doc="Seconds within which another pod may be tried; 0 for no limit.",
        accepts=("0", "30", "10s"),
        refuses=("soon", "-1"),
        haproxy=("retries", "retry-on"),
    )
    next_upstream_tries: int = annotation(
        "proxy-next-upstream-tries",
        up_to(_MOST_TRIES),
        default=3,
        global_key="proxy-next-upstream-tries",
        support=Support.PARTIAL,
        differs="At most ten, also with 0. Any other number than the usual costs one reload.",
        doc="How many tries there are, the first included; 0 for no limit.",
        accepts=("3", "0", "1"),
        refuses=("-1", "many", "3 times"),
        haproxy=("retries",),
    )
