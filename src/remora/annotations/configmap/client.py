"""The client's side (behaviour reference, configuration, sections 2.3 and 2.5; part B, section 8)."""

import re
from dataclasses import dataclass

from remora.annotations.configmap.values import addresses, header_name, networks, seconds, size, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import ValueRefused, boolean, shown, trimmed


def header_buffers(text: str) -> int:
    """Bytes that all headers together may have: `4 8k` are four of 8 kB."""
    words = text.split()
    if len(words) != 2:
        raise ValueRefused(f"{shown(text)} is not a number and a size such as 4 8k")
    total = whole(1, 64)(words[0]) * size(words[1])
    if not 1024 <= total <= 256 * 1024:
        raise ValueRefused(f"{shown(text)} is not between 1 kB and 256 kB in all")
    return total


def limit_key(text: str) -> str:
    """The header by which limits count, in lower case; "" for the client's address."""
    variable = trimmed(text).removeprefix("$").strip("{}")
    if variable in ("binary_remote_addr", "remote_addr"):
        return ""
    if not re.fullmatch("http_[a-z0-9_]{1,64}", variable):
        raise ValueRefused(f"{shown(text)} is neither $binary_remote_addr nor a header such as $http_x_api_key")
    return variable.removeprefix("http_").replace("_", "-")


@dataclass(frozen=True, slots=True)
class ClientConnections:
    """Connections of clients, and what HAProxy takes from them."""

    header_timeout: int = global_setting(
        "client-header-timeout",
        seconds(),
        default=60,
        doc="Seconds for a client to send its request's headers.",
        accepts=("10", "0x1e"),
        refuses=("10s", "0", "-1", "9999999"),
        haproxy=("timeout http-request",),
    )
    body_timeout: int = global_setting(
        "client-body-timeout",
        seconds(),
        default=60,
        support=Support.PARTIAL,
        differs="It holds for a client that does not read as well.",
        doc="Seconds that a client may be silent while it sends.",
        accepts=("20",),
        refuses=("1m", "0"),
        haproxy=("timeout client",),
    )
    keep_alive: int = global_setting(
        "keep-alive",
        seconds(0),
        default=75,
        doc="Seconds that an idle connection of a client is kept; 0 closes it after each answer.",
        accepts=("20", "0"),
        refuses=("75s", "-1"),
        haproxy=("timeout http-keep-alive", "option httpclose"),
    )
    keep_alive_requests: str = idle_setting(
        "keep-alive-requests",
        "Requests of one connection.",
        "HAProxy does not count them; a connection lasts as long as its client wants.",
    )
    header_buffers: int = global_setting(
        "large-client-header-buffers",
        header_buffers,
        default=0,
        support=Support.PARTIAL,
        differs="All headers of a request together may have as much as all buffers hold, at least 15 kB; one header alone "
        "has no limit. Unset, it is 15 kB. HAProxy's every buffer grows with it.",
        doc="How large the headers of a request may be; more is answered with 400.",
        accepts=("4 16k", "8 32k"),
        refuses=("4", "4x8k", "64 64k", "4 8k }"),
        haproxy=("tune.bufsize",),
    )
    header_buffer_size: str = idle_setting(
        "client-header-buffer-size", "The first buffer for headers.", "HAProxy's buffers are all of one size."
    )
    use_http2: bool = global_setting(
        "use-http2",
        boolean,
        default=True,
        doc="`false` offers clients HTTP/1.1 only.",
        accepts=("false", "true"),
        refuses=("off",),
        haproxy=("bind … alpn", "option disable-h2-upgrade"),
    )
    http2_streams: int = global_setting(
        "http2-max-concurrent-streams",
        whole(1, 1000),
        default=128,
        doc="Requests that may be under way on one HTTP/2 connection.",
        accepts=("64",),
        refuses=("0", "5000"),
        haproxy=("tune.h2.fe.max-concurrent-streams",),
    )
    http2_field: str = idle_setting("http2-max-field-size", "One header in HTTP/2.", "ingress-nginx does not read it either.")
    http2_header: str = idle_setting("http2-max-header-size", "All headers.", "ingress-nginx does not read it either.")
    http2_requests: str = idle_setting("http2-max-requests", "Requests.", "ingress-nginx does not read it either.")
    underscores: bool = global_setting(
        "enable-underscores-in-headers",
        boolean,
        default=False,
        doc="`true` keeps request headers with `_` in their names. Applications may take them for those with a `-`, so "
        "otherwise nobody gets them.",
        accepts=("true",),
        refuses=("on",),
        haproxy=("http-request del-header",),
    )
    ignore_invalid: bool = global_setting(
        "ignore-invalid-headers",
        boolean,
        default=True,
        doc="Drops request headers with names of other characters than letters, digits and `-`; `false` keeps them.",
        support=Support.PARTIAL,
        differs="Names with `_` are for `enable-underscores-in-headers` to keep, whatever this says.",
        accepts=("false",),
        refuses=("off",),
        haproxy=("http-request del-header",),
    )
    default_type: str = idle_setting("default-type", "The type of generated answers.", "They have the type that they are of.")
    disable_ipv6: bool = global_setting(
        "disable-ipv6",
        boolean,
        default=False,
        doc="`true` listens on IPv4 addresses only.",
        accepts=("true",),
        refuses=("yes",),
        haproxy=("bind",),
    )
    bind_address: tuple[str, ...] = global_setting(
        "bind-address",
        addresses,
        default=(),
        doc="Addresses to listen on; what is none is left out. The flag `--bind-address` goes before it.",
        accepts=("127.0.0.1,[::1]", "10.0.0.1, host"),
        refuses=("host", "127.0.0.1:80", "fe80::1%eth0"),
        haproxy=("bind",),
    )
    bind_ipv4: tuple[str, ...] = global_setting(
        "bind-address-ipv4",
        addresses,
        default=(),
        doc="Addresses to listen on beside those of `bind-address`.",
        accepts=("127.0.0.1",),
        refuses=("host",),
        haproxy=("bind",),
    )
    bind_ipv6: tuple[str, ...] = global_setting(
        "bind-address-ipv6",
        addresses,
        default=(),
        doc="Addresses to listen on beside those of `bind-address`.",
        accepts=("[::1]",),
        refuses=("host",),
        haproxy=("bind",),
    )
    reuse_port: str = idle_setting("reuse-port", "Sockets per worker.", "HAProxy shares a listener's connections out itself.")
    limit_requests_status: int = global_setting(
        "limit-req-status-code",
        whole(400, 599),
        default=503,
        doc="The status of requests beyond `limit-rps` or `limit-rpm`.",
        accepts=("429", "503"),
        refuses=("200", "600", "many"),
        haproxy=("http-request deny",),
    )
    limit_connections_status: int = global_setting(
        "limit-conn-status-code",
        whole(400, 599),
        default=503,
        doc="The status of requests beyond `limit-connections`.",
        accepts=("429",),
        refuses=("302",),
        haproxy=("http-request deny",),
    )
    limit_variable: str = global_setting(
        "limit-conn-zone-variable",
        limit_key,
        default="",
        support=Support.PARTIAL,
        differs="The client's address or one header; no other variables.",
        doc="What limits count by: `$binary_remote_addr`, or a header such as `$http_x_api_key`. Requests without that header "
        "have no limits.",
        accepts=("$binary_remote_addr", "$remote_addr", "$http_x_api_key"),
        refuses=("$cookie_a", "x", "$http_a } evil"),
        haproxy=("http-request track-sc3",),
    )


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """Who the client is when it comes through other proxies."""

    use_forwarded: bool = global_setting(
        "use-forwarded-headers",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="At most eight proxies are walked back. An `X-Forwarded-Host` that is no host is ignored.",
        doc="Believes `X-Forwarded-For`, `-Proto`, `-Host` and `-Port` of requests.",
        accepts=("true",),
        refuses=("yes",),
        haproxy=("http-request set-src", "use_backend"),
    )
    real_ip: bool = global_setting(
        "enable-real-ip",
        boolean,
        default=False,
        doc="Believes the client's address in `X-Forwarded-For`, and nothing else.",
        accepts=("true",),
        refuses=("yes",),
        haproxy=("http-request set-src",),
    )
    for_header: str = global_setting(
        "forwarded-for-header",
        header_name,
        default="X-Forwarded-For",
        doc="The header with the client's address; what it said becomes `X-Original-Forwarded-For`.",
        accepts=("X-Real-IP", "CF-Connecting-IP"),
        refuses=("a b", "X-Real_IP", "a\nb", "x)"),
    )
    host_header: str = global_setting(
        "forwarded-host-header",
        header_name,
        default="X-Forwarded-Host",
        doc="The header that becomes `X-Original-Forwarded-Host`.",
        accepts=("X-Host",),
        refuses=("a b",),
    )
    full_for: bool = global_setting(
        "compute-full-forwarded-for",
        boolean,
        default=False,
        doc="With `use-forwarded-headers`: pods are sent the client's `X-Forwarded-For` with the last address added.",
        accepts=("true",),
        refuses=("yes",),
    )
    trusted: tuple[str, ...] = global_setting(
        "proxy-real-ip-cidr",
        networks,
        default=("0.0.0.0/0",),
        doc="Proxies that are believed; the client is the last address that is none of them.",
        accepts=("10.0.0.0/8,2001:db8::/32",),
        refuses=("10.0.0.0/40", "proxy.example"),
    )
    proxy_protocol: bool = global_setting(
        "use-proxy-protocol",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="With a `proxy-real-ip-cidr` the header is read from those addresses only, and others are served without one.",
        doc="Connections begin with a PROXY header, which says who the client is.",
        accepts=("true",),
        refuses=("yes",),
        haproxy=("bind … accept-proxy", "tcp-request connection expect-proxy"),
    )
    proxy_timeout: str = idle_setting(
        "proxy-protocol-header-timeout", "Seconds for the PROXY header.", "It counts as part of client-header-timeout."
    )
    for_proxy_header: str = idle_setting(
        "forwarded-for-proxy-protocol-header", "An internal header.", "It is used inside ingress-nginx only."
    )
