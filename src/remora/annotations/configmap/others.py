"""Backends, TCP services and authentication for all (behaviour reference, configuration, sections 2.6 and 2.7)."""

from dataclasses import dataclass

from remora.annotations.auth_external import (
    METHODS,
    NO_URL,
    USUAL_DURATIONS,
    AuthUrl,
    KeptDurations,
    auth_url,
    kept_durations,
    key_template,
    parameter,
    passed_headers,
    sign_in_url,
    url_template,
)
from remora.annotations.configmap.values import nginx_time, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import boolean, choice, comma_list

_OFF = ("0", "f", "false", "off")
_ACME = ("/.well-known/acme-challenge",)
_UNREAD = "ingress-nginx reads the annotation only."
_BUFFERS = "HAProxy's buffers are all of one size."
_RESOLVER = "Names are not resolved yet."


@dataclass(frozen=True, slots=True)
class UpstreamConnections:
    """Connections to pods."""

    keepalive: int = global_setting(
        "upstream-keepalive-connections",
        whole(0, 100_000),
        default=320,
        support=Support.PARTIAL,
        differs="Any number above 0 keeps as many as were in use lately.",
        doc="Idle connections that are kept; 0 closes each after its answer.",
        accepts=("0", "320"),
        refuses=("many",),
        haproxy=("option httpclose",),
    )
    keepalive_timeout: str = idle_setting(
        "upstream-keepalive-timeout", "Seconds that an idle connection is kept.", "HAProxy keeps what was of use lately."
    )
    keepalive_time: str = idle_setting("upstream-keepalive-time", "How old a connection gets.", "HAProxy sets no limit.")
    keepalive_requests: str = idle_setting("upstream-keepalive-requests", "Requests of one.", "HAProxy sets no limit.")
    retry_non_idempotent: bool = global_setting(
        "retry-non-idempotent",
        boolean,
        default=False,
        doc="Tries POST, LOCK and PATCH again too, though a pod may have done what they ask.",
        accepts=("true", "false"),
        refuses=("on",),
        haproxy=("http-request disable-l7-retry",),
    )
    grpc_buffer: str = idle_setting("grpc-buffer-size-kb", "A buffer.", _BUFFERS)
    ipv6_dns: str = idle_setting("disable-ipv6-dns", "Looks names up in IPv4 only.", _RESOLVER)
    hash_by: str = idle_setting("upstream-hash-by", "Parsed there without any effect.", _UNREAD)
    hash_subset: str = idle_setting("upstream-hash-by-subset", "Parsed there without any effect.", _UNREAD)
    hash_subset_size: str = idle_setting("upstream-hash-by-subset-size", "Parsed there without any effect.", _UNREAD)
    app_root: str = idle_setting("app-root", "Parsed there without any effect.", _UNREAD)


@dataclass(frozen=True, slots=True)
class StreamServices:
    """TCP and UDP services."""

    timeout: int = global_setting(
        "proxy-stream-timeout",
        nginx_time,
        default=600,
        doc="How long a TCP connection may be idle.",
        accepts=("600s", "10m"),
        refuses=("soon", ""),
        haproxy=("timeout client", "timeout server"),
    )
    next_upstream: bool = global_setting(
        "proxy-stream-next-upstream",
        boolean,
        default=True,
        doc="Whether another pod is tried when one does not take the connection.",
        accepts=("true", "false"),
        refuses=("on",),
        haproxy=("option redispatch",),
    )
    next_timeout: str = idle_setting(
        "proxy-stream-next-upstream-timeout", "For how long.", "Each pod has five seconds to take a connection."
    )
    next_tries: int = global_setting(
        "proxy-stream-next-upstream-tries",
        whole(0, 1000),
        default=3,
        support=Support.PARTIAL,
        differs="At most ten, which is also what 0 means.",
        doc="How many pods are tried.",
        accepts=("3", "0"),
        refuses=("-1", "many"),
        haproxy=("retries",),
    )
    responses: str = idle_setting("proxy-stream-responses", "Answers to a UDP packet.", "HAProxy does not forward UDP.")


@dataclass(frozen=True, slots=True)
class GlobalAuth:
    """External authentication for all Ingresses that do not ask for their own."""

    url: AuthUrl = global_setting(  # noqa: RUF009 - frozen
        "global-auth-url",
        auth_url,
        default=NO_URL,
        guards=True,
        doc="As `auth-url`, for every route without one of its own.",
        accepts=("http://auth.tools.svc.cluster.local/check",),
        refuses=("auth.example.com", "http://$http_x/"),
        haproxy=("http-request lua", "http-request deny"),
    )
    method: str = global_setting(
        "global-auth-method", choice(*METHODS), default="GET", doc="As `auth-method`.", accepts=("POST",), refuses=("get",)
    )
    signin: tuple[str, ...] = global_setting(
        "global-auth-signin",
        sign_in_url,
        default=(),
        doc="As `auth-signin`.",
        accepts=("https://auth.example.com/start",),
        refuses=("javascript:alert(1)",),
    )
    signin_parameter: str = global_setting(
        "global-auth-signin-redirect-param",
        parameter,
        default="rd",
        doc="As `auth-signin-redirect-param`.",
        accepts=("back",),
        refuses=("a=b",),
    )
    response_headers: tuple[str, ...] = global_setting(
        "global-auth-response-headers",
        passed_headers,
        default=(),
        guards=True,
        doc="As `auth-response-headers`.",
        accepts=("X-User",),
        refuses=("Content-Length",),
    )
    request_redirect: tuple[str, ...] = global_setting(
        "global-auth-request-redirect",
        url_template,
        default=(),
        doc="As `auth-request-redirect`.",
        accepts=("https://$host$request_uri",),
        refuses=("$nothing",),
    )
    cache_key: tuple[str, ...] = global_setting(
        "global-auth-cache-key",
        key_template,
        default=(),
        doc="As `auth-cache-key`.",
        accepts=("$cookie_session",),
        refuses=("$nothing",),
    )
    cache_duration: KeptDurations = global_setting(  # noqa: RUF009 - frozen
        "global-auth-cache-duration",
        kept_durations,
        default=USUAL_DURATIONS,
        doc="As `auth-cache-duration`.",
        accepts=("200 1m",),
        refuses=("soon",),
    )
    always_set_cookie: bool = global_setting(
        "global-auth-always-set-cookie",
        boolean,
        default=False,
        doc="As `auth-always-set-cookie`.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    free_locations: tuple[str, ...] = global_setting(
        "no-auth-locations",
        comma_list,
        default=_ACME,
        doc="Rules whose path begins with one of these ask for no password and no external service.",
        accepts=("/.well-known/acme-challenge,/health",),
        refuses=("",),
    )
