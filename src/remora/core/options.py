"""What the controller's ConfigMap says of the proxy as a whole.

Every field is called like its key, with `_` for `-`. A field that is None is not said: the flags or the proxy decide.
"""

import re
from collections.abc import Iterator

import msgspec

GZIP_TYPES = (
    *("application/atom+xml", "application/javascript", "application/x-javascript", "application/json"),
    *("application/rss+xml", "application/vnd.ms-fontobject", "application/x-font-ttf"),
    *("application/x-web-app-manifest+json", "application/xhtml+xml", "application/xml", "font/opentype"),
    *("image/svg+xml", "image/x-icon", "text/css", "text/javascript", "text/plain", "text/x-component"),
)
"""Of ingress-nginx, beside text/html."""

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256"
)
"""TLS 1.2 suites of ingress-nginx, in its order."""


HEADER_VARIABLE = "http_"
"""What the variable of a request's header begins with."""

HeaderValue = tuple[str, ...]
"""Text, the name of a variable, text, the name of a variable, and so on; it begins and ends with text."""


LOG_FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
    "$request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
"""The line of ingress-nginx's access log."""

LOG_VARIABLES = frozenset(
    (
        "args", "body_bytes_sent", "bytes_sent", "host", "https", "ingress_name", "location_path", "msec",
        "namespace", "opentelemetry_span_id", "opentelemetry_trace_id", "proxy_alternative_upstream_name",
        "proxy_protocol_addr", "proxy_upstream_name", "query_string", "realip_remote_addr", "remote_addr",
        "remote_port", "remote_user", "req_id", "request", "request_id", "request_length", "request_method",
        "request_time", "request_uri", "scheme", "server_name", "server_port", "server_protocol",
        "service_name", "service_port", "ssl_cipher", "ssl_protocol", "status", "the_real_ip", "time_iso8601",
        "time_local", "upstream_addr", "upstream_bytes_received", "upstream_connect_time",
        "upstream_header_time", "upstream_response_length", "upstream_response_time", "upstream_status",
        "uri",
    )
)  # fmt: skip
"""What the access log knows of nginx's variables, beside headers."""

_LOG_VARIABLE = re.compile(r"\$(?:([a-z0-9_]+)|\{([a-z0-9_]+)\})")


def log_pieces(text: str) -> HeaderValue:
    """A format of the access log as text and variables in turn."""
    pieces: list[str] = []
    start = 0
    for found in _LOG_VARIABLE.finditer(text):
        pieces += (text[start : found.start()], found[1] or found[2])
        start = found.end()
    return (*pieces, text[start:])


class ProxyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that the proxy's program depends on. Times are in seconds, sizes in bytes, networks in CIDR notation."""

    worker_processes: int | None = None
    worker_shutdown_timeout: int | None = None
    max_worker_connections: int | None = None
    bind_address: tuple[str, ...] | None = None
    bind_address_ipv4: tuple[str, ...] = ()
    bind_address_ipv6: tuple[str, ...] = ()
    disable_ipv6: bool | None = None
    client_header_timeout: int | None = None
    client_body_timeout: int | None = None
    keep_alive: int | None = None
    large_client_header_buffers: int | None = None
    use_http2: bool = True
    http2_max_concurrent_streams: int = 128
    use_proxy_protocol: bool = False
    use_forwarded_headers: bool = False
    enable_real_ip: bool = False
    forwarded_for_header: str = "X-Forwarded-For"
    forwarded_host_header: str = "X-Forwarded-Host"
    compute_full_forwarded_for: bool = False
    proxy_real_ip_cidr: tuple[str, ...] = ("0.0.0.0/0",)
    enable_underscores_in_headers: bool = False
    ignore_invalid_headers: bool = True
    generate_request_id: bool = True
    proxy_add_original_uri_header: bool = False
    proxy_set_headers: tuple[tuple[str, HeaderValue], ...] = ()
    add_headers: tuple[tuple[str, HeaderValue], ...] = ()
    server_tokens: bool = False
    allow_backend_server_header: bool = False
    hide_headers: tuple[str, ...] = ()
    block_cidrs: tuple[str, ...] = ()
    block_user_agents: tuple[str, ...] = ()
    block_referers: tuple[str, ...] = ()
    proxy_stream_timeout: int = 600
    proxy_stream_next_upstream: bool = True
    proxy_stream_next_upstream_tries: int = 3
    upstream_keepalive_connections: int = 320
    proxy_body_size: int = 1 << 20
    proxy_buffer_size: int = 4096
    limit_req_status_code: int = 503
    limit_conn_status_code: int = 503
    limit_conn_zone_variable: str = ""
    """The header that limits count by; "" for the client's address."""
    proxy_connect_timeout: int | None = None
    proxy_read_timeout: int | None = None
    proxy_next_upstream: tuple[str, ...] = ("error", "timeout")
    proxy_next_upstream_timeout: int = 0
    proxy_next_upstream_tries: int = 3
    retry_non_idempotent: bool = False
    use_gzip: bool = False
    enable_brotli: bool = False
    gzip_level: int = 1
    gzip_types: tuple[str, ...] = GZIP_TYPES
    gzip_disable: str = ""
    ssl_protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ssl_ciphers: str = CIPHERS
    ssl_ecdh_curve: str = "auto"
    ssl_early_data: bool = False
    ssl_session_cache: bool = True
    ssl_session_cache_size: int | None = None
    ssl_session_timeout: int = 600
    ssl_session_tickets: bool = False
    ssl_session_ticket_key: str = ""
    """Base64, of 48 or 80 bytes; "" lets the proxy make its own."""
    ssl_dh_param: str = ""
    """What the key refers to: parameters in PEM; "" for those that the proxy has."""
    ssl_reject_handshake: bool = False
    disable_access_log: bool = True
    disable_http_access_log: bool = False
    enable_access_log_for_default_backend: bool = False
    skip_access_log_urls: tuple[str, ...] = ()
    log_format_upstream: HeaderValue = log_pieces(LOG_FORMAT)
    log_format_escape_json: bool = False
    log_format_escape_none: bool = False
    enable_syslog: bool = False
    syslog_host: str = ""
    syslog_port: int = 514
    otlp_collector_host: str = ""
    otlp_collector_port: int = 4318
    otel_service_name: str = "nginx"
    otel_sampler: str = "AlwaysOn"
    otel_sampler_ratio: float = 0.01
    otel_sampler_parent_based: bool = True
    otel_max_queuesize: int = 2048
    otel_schedule_delay_millis: int = 5000
    otel_max_export_batch_size: int = 512
    hsts: bool = True
    hsts_include_subdomains: bool = True
    hsts_max_age: int = 31_536_000
    hsts_preload: bool = False

    def __repr__(self) -> str:
        fields = {field: getattr(self, field) for field in self.__struct_fields__}
        if self.ssl_session_ticket_key:
            fields["ssl_session_ticket_key"] = "<redacted>"
        return f"ProxyOptions({', '.join(f'{field}={value!r}' for field, value in fields.items())})"

    @property
    def trusts_address(self) -> bool:
        """Whether a header says who the client is."""
        return self.use_forwarded_headers or self.enable_real_ip

    @property
    def scheme_is_told(self) -> bool:
        """Whether a request's scheme is other than that of the connection that it came by."""
        return self.use_forwarded_headers or self.use_proxy_protocol

    @property
    def has_access_log(self) -> bool:
        return not self.disable_access_log and not self.disable_http_access_log

    @property
    def compresses(self) -> bool:
        return self.use_gzip or self.enable_brotli

    @property
    def keeps_server_header(self) -> bool:
        return self.server_tokens or self.allow_backend_server_header


def changed_keys(before: ProxyOptions, after: ProxyOptions) -> Iterator[str]:
    """The keys of the ConfigMap that differ, as they are written there."""
    for field in ProxyOptions.__struct_fields__:
        if getattr(before, field) != getattr(after, field):
            yield field.replace("_", "-")
