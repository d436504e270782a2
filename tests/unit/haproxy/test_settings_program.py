"""What of the ConfigMap stands in the program, and that nothing does that is off."""

import msgspec
import pytest

from remora.annotations.configmap import TlsSettings
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings, proxy_settings
from remora.haproxy.process_rules import process_files
from remora.haproxy.program import program_digest, render_program

FLAGS = ProxySettings(state_directory="/state")
DEFAULT = render_program(FLAGS).splitlines()


def program(**options: object) -> list[str]:
    return render_program(proxy_settings(FLAGS, msgspec.structs.replace(ProxyOptions(), **options))).splitlines()


def added(**options: object) -> set[str]:
    return {line.strip() for line in set(program(**options)) - set(DEFAULT) if "proc.program" not in line}


def removed(**options: object) -> set[str]:
    return {line.strip() for line in set(DEFAULT) - set(program(**options)) if "proc.program" not in line}


@pytest.mark.parametrize(
    "word", ["accept-proxy", "compression", "set-src", "httpclose", "block", "trusted", "strict-sni", "bufsize", "maxconn"]
)
def test_what_is_off_leaves_no_directive(word: str) -> None:
    assert not [line for line in DEFAULT if word in line and "/metered-" not in line]


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("client_header_timeout", 9, "timeout http-request 9s"),
        ("client_body_timeout", 8, "timeout client 8s"),
        ("keep_alive", 7, "timeout http-keep-alive 7s"),
        ("keep_alive", 0, "option httpclose"),
        ("upstream_keepalive_connections", 0, "option httpclose"),
        ("worker_processes", 2, "nbthread 2"),
        ("worker_shutdown_timeout", 30, "hard-stop-after 30s"),
        ("max_worker_connections", 77, "maxconn 77"),
        ("large_client_header_buffers", 65536, "tune.bufsize 66560"),
        ("http2_max_concurrent_streams", 5, "tune.h2.fe.max-concurrent-streams 5"),
        ("ssl_protocols", ("TLSv1.3",), "ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets"),
        (
            "ssl_protocols",
            ("TLSv1.2", "TLSv1"),
            "ssl-default-bind-options ssl-min-ver TLSv1.0 ssl-max-ver TLSv1.2 no-tls-tickets",
        ),
        ("ssl_ciphers", "HIGH", "ssl-default-bind-ciphers HIGH"),
        ("ssl_ecdh_curve", "P-256", "ssl-default-bind-curves P-256"),
        ("ssl_session_cache", False, "tune.ssl.cachesize 0"),
        ("ssl_session_cache_size", 10 << 20, "tune.ssl.cachesize 40960"),
        ("ssl_session_timeout", 60, "tune.ssl.lifetime 60"),
        ("hide_headers", ("X-Powered-By",), "http-response del-header x-powered-by"),
        ("block_cidrs", ("192.0.2.0/24",), "acl blocked src -m ip 192.0.2.0/24"),
        ("proxy_add_original_uri_header", True, "http-request set-header X-Original-URI %[pathq]"),
        ("use_gzip", True, "filter compression"),
        ("enable_brotli", True, "filter compression"),
    ],
)
def test_an_option_is_a_directive(field: str, value: object, line: str) -> None:
    assert line in added(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("server_tokens", True, "http-response del-header server"),
        ("generate_request_id", False, "http-request set-header X-Request-ID"),
        ("hsts", False, "http-after-response set-header Strict-Transport-Security"),
    ],
)
def test_an_option_takes_a_directive_away(field: str, value: object, line: str) -> None:
    assert any(one.startswith(line) for one in removed(**{field: value}))


def test_every_option_that_changes_the_process_changes_the_digest() -> None:
    for options in (ProxyOptions(worker_shutdown_timeout=1), ProxyOptions(ssl_ciphers="HIGH")):
        assert program_digest(proxy_settings(FLAGS, options)) != program_digest(FLAGS)


KEY, OTHER = "q83v" * 16, "q83w" * 16


def test_one_ticket_key_is_all_that_haproxy_asks_for_and_is_in_no_program() -> None:
    options = ProxyOptions(ssl_session_tickets=True, ssl_session_ticket_key=KEY)
    settings = proxy_settings(FLAGS, options)
    (file,) = process_files(settings)
    assert (file.path, file.content) == ("/state/tls/tickets.keys", f"{KEY}\n" * 3)
    binds = [line for line in render_program(settings).splitlines() if "crt-list" in line]
    assert binds
    assert all("tls-ticket-keys /state/tls/tickets.keys" in line for line in binds)
    for shown in (render_program(settings), repr(options), repr(file), repr(TlsSettings(ticket_key=KEY))):
        assert KEY not in shown
    assert options == ProxyOptions(ssl_session_tickets=True, ssl_session_ticket_key=KEY)


def test_a_ticket_key_without_tickets_is_written_nowhere() -> None:
    settings = proxy_settings(FLAGS, ProxyOptions(ssl_session_ticket_key=KEY))
    assert process_files(settings) == ()
    assert program_digest(settings) == program_digest(FLAGS)


def test_a_program_with_other_files_is_another_one() -> None:
    keys = [ProxyOptions(ssl_session_tickets=True, ssl_session_ticket_key=key) for key in (KEY, OTHER)]
    others = [ProxyOptions(ssl_dh_param=text) for text in ("one", "two")]
    digests = {program_digest(proxy_settings(FLAGS, options)) for options in (ProxyOptions(), *keys, *others)}
    assert len(digests) == 5


def test_parameters_are_a_file() -> None:
    (file,) = process_files(proxy_settings(FLAGS, ProxyOptions(ssl_dh_param="text")))
    assert (file.path, file.content) == ("/state/tls/dhparam.pem", "text")
    assert "ssl-dh-param-file /state/tls/dhparam.pem" in added(ssl_dh_param="text")


def test_a_long_list_of_networks_takes_several_lines() -> None:
    networks = tuple(f"10.{number}.0.0/16" for number in range(70))
    lines = [line for line in program(block_cidrs=networks) if line.strip().startswith("acl blocked")]
    assert {len(line.split()) <= 64 for line in lines} == {True}
    assert sum(line.count("/16") for line in lines) == 2 * 70
