"""Backends, TCP services and authentication for all (behaviour reference, configuration, sections 2.6 and 2.7)."""

from dataclasses import dataclass

from remora.annotations.configmap.values import whole
from remora.annotations.declare import Support, global_setting, idle_setting, planned_setting
from remora.annotations.values import comma_list

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
    retry_non_idempotent: str = planned_setting("retry-non-idempotent", "Tries POST, LOCK and PATCH again too.", usual=_OFF)
    grpc_buffer: str = idle_setting("grpc-buffer-size-kb", "A buffer.", _BUFFERS)
    ipv6_dns: str = idle_setting("disable-ipv6-dns", "Looks names up in IPv4 only.", _RESOLVER)
    hash_by: str = idle_setting("upstream-hash-by", "Parsed there without any effect.", _UNREAD)
    hash_subset: str = idle_setting("upstream-hash-by-subset", "Parsed there without any effect.", _UNREAD)
    hash_subset_size: str = idle_setting("upstream-hash-by-subset-size", "Parsed there without any effect.", _UNREAD)
    app_root: str = idle_setting("app-root", "Parsed there without any effect.", _UNREAD)


@dataclass(frozen=True, slots=True)
class StreamServices:
    """TCP and UDP services."""

    timeout: str = planned_setting("proxy-stream-timeout", "How long a TCP connection may be idle.", usual=("600s", "10m"))
    next_upstream: str = planned_setting("proxy-stream-next-upstream", "Tries another pod.", usual=("true",))
    next_timeout: str = planned_setting("proxy-stream-next-upstream-timeout", "For how long.", usual=("600s", "10m"))
    next_tries: str = planned_setting("proxy-stream-next-upstream-tries", "How often.", usual=("3",))
    responses: str = planned_setting("proxy-stream-responses", "Answers to a UDP packet.", usual=("1",))


@dataclass(frozen=True, slots=True)
class GlobalAuth:
    """External authentication for all; `global-auth-url` itself closes everything for as long as it is not honoured."""

    method: str = planned_setting("global-auth-method", "The method of the question.")
    signin: str = planned_setting("global-auth-signin", "Where to sign in.")
    signin_parameter: str = planned_setting("global-auth-signin-redirect-param", "How the URL is called there.", usual=("rd",))
    response_headers: str = planned_setting("global-auth-response-headers", "Headers of the answer for pods.")
    request_redirect: str = planned_setting("global-auth-request-redirect", "The URL that the service is told.")
    cache_key: str = planned_setting("global-auth-cache-key", "By what answers are kept.")
    cache_duration: str = planned_setting("global-auth-cache-duration", "For how long.", usual=("200 202 401 5m",))
    always_set_cookie: str = planned_setting("global-auth-always-set-cookie", "Cookies of the service.", usual=_OFF)
    snippet: str = planned_setting("global-auth-snippet", "Configuration of nginx for the question.", guards=True)
    free_locations: tuple[str, ...] = global_setting(
        "no-auth-locations",
        comma_list,
        default=_ACME,
        doc="Rules whose path begins with one of these ask for no password and no external service.",
        accepts=("/.well-known/acme-challenge,/health",),
        refuses=("",),
    )
