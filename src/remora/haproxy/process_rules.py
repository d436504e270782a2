"""What HAProxy as a process is told: how large it gets, how it speaks TLS, on what it listens. From settings alone."""

from collections.abc import Iterator

import msgspec

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.grammar import Directive, address_and_port, directive, rule
from remora.haproxy.layout import Layout

_BUFFER = 16384
_FOR_REWRITING = 1024
"""Bytes of a buffer that HAProxy keeps for what it adds to headers (`tune.maxrewrite`)."""

_MOST_HEADERS = 256 * 1024

_SESSION_BYTES = 256
_MOST_SESSION_BYTES = 64 << 20


def global_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of the section `global`, beside what the program itself needs."""
    options = settings.options
    yield rule(f"hard-stop-after {settings.old_worker_timeout}s")
    yield rule(f"mworker-max-reloads {settings.old_workers}")
    yield from _tls_rules(options, Layout(settings.state_directory))
    yield rule(f"tune.h2.fe.max-concurrent-streams {options.http2_max_concurrent_streams}")
    headers = max(options.large_client_header_buffers or 0, min(options.proxy_buffer_size, _MOST_HEADERS))
    if headers + _FOR_REWRITING > _BUFFER:
        yield rule(f"tune.bufsize {headers + _FOR_REWRITING}")
    if options.compresses:
        yield rule(f"tune.comp.maxlevel {options.gzip_level}")
    if settings.threads:
        yield rule(f"nbthread {settings.threads}")
    if settings.maximum_connections:
        yield rule(f"maxconn {settings.maximum_connections}")
    if options.max_worker_connections:
        # What somebody writes into a ConfigMap must not keep HAProxy from starting where files are limited.
        yield rule("no strict-limits")


def _tls_rules(options: ProxyOptions, layout: Layout) -> Iterator[Directive]:
    versions = sorted(options.ssl_protocols)
    names = {"TLSv1": "TLSv1.0"}
    lowest, highest = (names.get(version, version) for version in (versions[0], versions[-1]))
    words = ["ssl-min-ver", lowest]
    if highest != "TLSv1.3":
        words += ["ssl-max-ver", highest]
    if not options.ssl_session_tickets:
        words.append("no-tls-tickets")
    yield rule("ssl-default-bind-options", *words)
    yield directive("ssl-default-bind-ciphers", options.ssl_ciphers)
    if options.ssl_ecdh_curve != "auto":
        yield directive("ssl-default-bind-curves", options.ssl_ecdh_curve)
    yield rule("tune.ssl.default-dh-param 2048")
    if options.ssl_dh_param:
        yield rule("ssl-dh-param-file", layout.dh_param)
    yield rule(f"tune.ssl.lifetime {options.ssl_session_timeout}")
    if not options.ssl_session_cache:
        yield rule("tune.ssl.cachesize 0")
    elif options.ssl_session_cache_size is not None:
        yield rule(f"tune.ssl.cachesize {max(1, min(options.ssl_session_cache_size, _MOST_SESSION_BYTES) // _SESSION_BYTES)}")


def has_ticket_key(options: ProxyOptions) -> bool:
    """Whether tickets are made with a key that was given."""
    return options.ssl_session_tickets and bool(options.ssl_session_ticket_key)


_TICKET_KEYS = 3
"""HAProxy makes tickets with the last but one, and takes those of all."""


class ProcessFile(msgspec.Struct, frozen=True):
    """A file that the rules here name. Its content may be a key and prints as nothing."""

    path: str
    content: str

    def __repr__(self) -> str:
        return f"ProcessFile({self.path})"


def process_files(settings: ProxySettings) -> tuple[ProcessFile, ...]:
    """All such files. With others, a program is another one."""
    options, layout = settings.options, Layout(settings.state_directory)
    files = []
    if has_ticket_key(options):
        # One key has to do for all: what a replica made up itself, the others would not know.
        files.append(ProcessFile(layout.ticket_keys, f"{options.ssl_session_ticket_key}\n" * _TICKET_KEYS))
    if options.ssl_dh_param:
        files.append(ProcessFile(layout.dh_param, options.ssl_dh_param))
    return tuple(files)


def timeout_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of the section that all others begin with."""
    yield rule(f"timeout connect {settings.connect_timeout}s")
    yield rule(f"timeout client {settings.client_timeout}s")
    yield rule(f"timeout http-request {settings.request_timeout}s")
    # 0 would mean that the time for headers counts; the frontends close such connections themselves.
    yield rule(f"timeout http-keep-alive {settings.keep_alive_timeout or 1}s")
    yield rule(f"timeout server {settings.server_timeout}s")
    yield rule(f"timeout tunnel {settings.tunnel_timeout}s")


def binds(settings: ProxySettings, *, crt_list: str) -> Iterator[Directive]:
    """The lines `bind` of a frontend: that of HTTPS if `crt_list` names the certificates, else that of HTTP."""
    options = settings.options
    words: list[str] = []
    if crt_list:
        words += ["ssl", "crt-list", crt_list, "alpn", "h2,http/1.1" if options.use_http2 else "http/1.1"]
        # Of clients with a certificate: whether a flawed one may come in is decided by request.
        words += ["crt-ignore-err", "all", "ca-ignore-err", "all"]
        words += ["allow-0rtt"] * options.ssl_early_data + ["strict-sni"] * options.ssl_reject_handshake
        if has_ticket_key(options):
            words += ["tls-ticket-keys", Layout(settings.state_directory).ticket_keys]
    if crt_list and settings.ssl_passthrough:
        # The frontend that passes some connections through tells who the client is.
        yield directive("bind", f"unix@{Layout(settings.state_directory).https_socket}", "mode", "600", "accept-proxy", *words)
        return
    words += proxy_header_words(options)
    port = settings.https_port if crt_list else settings.http_port
    for address in settings.bind_addresses:
        v6_only = ("v6only",) if address == "::" else ()
        yield directive("bind", address_and_port(address, port), *v6_only, *words)


def listener_rules(settings: ProxySettings, *, scheme: str) -> Iterator[Directive]:
    """Of a frontend, before all that looks at requests."""
    options = settings.options
    if scheme == "http" or not settings.ssl_passthrough:
        yield from proxy_header_rules(options)
    if not settings.keep_alive_timeout:
        yield rule("option httpclose")
    if scheme == "http" and not options.use_http2:
        yield rule("option disable-h2-upgrade")


def proxy_header_words(options: ProxyOptions) -> tuple[str, ...]:
    """Of a line `bind`: that every connection begins with a PROXY header, if whoever connects is believed."""
    return ("accept-proxy",) if options.use_proxy_protocol and _is_anybody(options.proxy_real_ip_cidr) else ()


def proxy_header_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of a frontend: that connections of those who are believed begin with a PROXY header."""
    if options.use_proxy_protocol and not _is_anybody(options.proxy_real_ip_cidr):
        yield from address_acl("from_proxy", "src", options.proxy_real_ip_cidr)
        yield rule("tcp-request connection expect-proxy layer4", when="from_proxy")


def _is_anybody(networks: tuple[str, ...]) -> bool:
    return "0.0.0.0/0" in networks


_NETWORKS_PER_LINE = 30
"""HAProxy takes 64 words in a line."""


def address_acl(name: str, fetch: str, networks: tuple[str, ...]) -> Iterator[Directive]:
    """An ACL that an address in one of the networks satisfies."""
    for start in range(0, len(networks), _NETWORKS_PER_LINE):
        yield directive("acl", name, fetch, "-m", "ip", *networks[start : start + _NETWORKS_PER_LINE])
