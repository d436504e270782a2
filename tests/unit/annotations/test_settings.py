"""What holds for every key of the controller's ConfigMap, and that no key of ingress-nginx is unheard of."""

import pytest

from remora.annotations.configmap import GROUPS, Process, TlsSettings
from remora.annotations.declare import Row, Scope, Support, rows_of
from remora.annotations.registry import Defaults, find_nearest_setting, find_setting, parse_defaults, setting_rows
from remora.annotations.values import ValueRefused
from remora.core.names import NamespacedName, ObjectRef

CONFIGMAP = ObjectRef("ConfigMap", NamespacedName("remora", "controller"))

INGRESS_NGINX = """
allow-snippet-annotations annotations-risk-level annotation-value-word-blocklist allow-cross-namespace-resources
strict-validate-path-type block-cidrs block-user-agents block-referers denylist-source-range whitelist-source-range hide-headers
global-allowed-response-headers server-tokens allow-backend-server-header enable-modsecurity enable-owasp-modsecurity-crs
modsecurity-snippet access-log-path http-access-log-path stream-access-log-path access-log-params disable-access-log
disable-http-access-log disable-stream-access-log enable-access-log-for-default-backend enable-auth-access-log
skip-access-log-urls log-format-upstream log-format-stream log-format-escape-json log-format-escape-none error-log-path
error-log-level enable-syslog syslog-host syslog-port debug-connections client-header-buffer-size large-client-header-buffers
client-header-timeout client-body-timeout client-body-buffer-size proxy-body-size keep-alive keep-alive-requests
http2-max-concurrent-streams http2-max-field-size http2-max-header-size http2-max-requests use-http2
enable-underscores-in-headers ignore-invalid-headers default-type generate-request-id disable-ipv6 bind-address
bind-address-ipv4 bind-address-ipv6 reuse-port limit-req-status-code limit-conn-status-code limit-conn-zone-variable limit-rate
limit-rate-after ssl-protocols ssl-ciphers ssl-ecdh-curve ssl-dh-param ssl-early-data ssl-session-cache ssl-session-cache-size
ssl-session-timeout ssl-session-tickets ssl-session-ticket-key ssl-buffer-size ssl-reject-handshake enable-ocsp hsts
hsts-include-subdomains hsts-max-age hsts-preload ssl-redirect force-ssl-redirect http-redirect-code no-tls-redirect-locations
preserve-trailing-slash use-port-in-redirects relative-redirects proxy-ssl-location-only use-forwarded-headers enable-real-ip
forwarded-for-header forwarded-host-header compute-full-forwarded-for proxy-real-ip-cidr use-proxy-protocol
proxy-protocol-header-timeout forwarded-for-proxy-protocol-header proxy-add-original-uri-header proxy-set-headers add-headers
proxy-connect-timeout proxy-read-timeout proxy-send-timeout proxy-next-upstream proxy-next-upstream-timeout
proxy-next-upstream-tries retry-non-idempotent proxy-buffering proxy-buffers-number proxy-buffer-size proxy-busy-buffers-size
proxy-max-temp-file-size proxy-request-buffering proxy-http-version proxy-cookie-domain proxy-cookie-path proxy-redirect-from
proxy-redirect-to load-balance service-upstream upstream-keepalive-connections upstream-keepalive-time
upstream-keepalive-timeout upstream-keepalive-requests grpc-buffer-size-kb custom-http-errors disable-proxy-intercept-errors
proxy-stream-timeout proxy-stream-next-upstream proxy-stream-next-upstream-timeout proxy-stream-next-upstream-tries
proxy-stream-responses disable-ipv6-dns app-root upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size
global-auth-url global-auth-method global-auth-signin global-auth-signin-redirect-param global-auth-response-headers
global-auth-request-redirect global-auth-cache-key global-auth-cache-duration global-auth-always-set-cookie global-auth-snippet
no-auth-locations use-gzip gzip-level gzip-min-length gzip-types gzip-disable enable-brotli brotli-level brotli-min-length
brotli-types enable-opentelemetry opentelemetry-config opentelemetry-operation-name opentelemetry-trust-incoming-span
otlp-collector-host otlp-collector-port otel-service-name otel-sampler otel-sampler-ratio otel-sampler-parent-based
otel-max-queuesize otel-schedule-delay-millis otel-max-export-batch-size use-geoip use-geoip2 geoip2-autoreload-in-minutes
worker-processes worker-shutdown-timeout max-worker-connections max-worker-open-files enable-serial-reloads worker-cpu-affinity
enable-multi-accept enable-aio-write map-hash-bucket-size server-name-hash-max-size server-name-hash-bucket-size
proxy-headers-hash-max-size proxy-headers-hash-bucket-size variables-hash-bucket-size variables-hash-max-size lua-shared-dicts
nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist main-snippet http-snippet server-snippet location-snippet stream-snippet
"""

ALL = [row for group in GROUPS for row in rows_of(group).values()]


def test_every_key_of_ingress_nginx_has_a_row() -> None:
    assert set(INGRESS_NGINX.split()) <= {row.global_key for row in setting_rows()}


def test_keys_come_in_their_order() -> None:
    keys = [row.global_key for row in setting_rows()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.global_key)
def test_a_key_says_what_it_is_for(row: Row) -> None:
    assert row.doc.endswith(".")
    assert bool(row.differs) == (row.support is not Support.FULL)
    assert row.scope is Scope.GLOBAL
    assert row.support in (Support.REFUSED, Support.WITHOUT_EFFECT) or (row.accepts and row.refuses)


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.global_key)
def test_a_key_takes_its_examples_and_refuses_the_others(row: Row) -> None:
    for text in row.accepts:
        assert isinstance(row.parse(text), type(row.default))
    for text in row.refuses:
        with pytest.raises(ValueRefused):
            row.parse(text)


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.global_key)
def test_what_cannot_be_read_is_named_and_harms_no_other_key(row: Row) -> None:
    for text in row.refuses:
        parsed = parse_defaults({row.global_key: text, "worker-processes": "3"}, object=CONFIGMAP)
        if row.global_key == "worker-processes" or not text.strip():
            continue
        assert [one.field for one in parsed.problems] == [f"data[{row.global_key}]"]
        assert parsed.of(Process).workers == 3
        assert bool(parsed.guards) == row.guards


def test_an_unknown_key_is_named_with_the_nearest_one() -> None:
    parsed = parse_defaults({"use-forward-headers": "true", "x": "y"}, object=CONFIGMAP)
    messages = {one.field: (one.code, one.message) for one in parsed.problems}
    assert messages["data[use-forward-headers]"] == (
        "SettingUnknown",
        "no key of that name is known; did you mean use-forwarded-headers?",
    )
    assert messages["data[x]"] == ("SettingUnknown", "no key of that name is known")
    assert parsed == Defaults(problems=parsed.problems)


def test_case_means_nothing_in_a_key() -> None:
    assert find_setting("Keep-Alive") is find_setting("keep-alive") is not None
    assert find_nearest_setting("KEEP-ALIFE") == "keep-alive"


@pytest.mark.parametrize("key", ["global-auth-url", "http-snippet", "global-auth-snippet"])
def test_a_guard_that_is_not_honoured_closes(key: str) -> None:
    row = find_setting(key)
    assert row is not None
    if row.support is Support.REFUSED:
        assert parse_defaults({key: "https://auth.example/x"}, object=CONFIGMAP).guards


def test_what_asks_for_the_usual_is_passed_over() -> None:
    data = {"enable-underscores-in-headers": "false", "ignore-invalid-headers": "true", "limit-req-status-code": "503"}
    assert parse_defaults(data, object=CONFIGMAP).problems == ()


def test_a_ticket_key_may_have_several_lines_as_openssl_writes_it_and_is_in_no_message() -> None:
    text = "q83v" * 26 + "q80="
    lines = {"ssl-session-ticket-key": f"{text[:64]}\n{text[64:]}\n"}
    assert parse_defaults(lines, object=CONFIGMAP).of(TlsSettings).ticket_key == text
    (problem,) = parse_defaults({"ssl-session-ticket-key": text[:-4]}, object=CONFIGMAP).problems
    assert "q83v" not in f"{problem!r} {problem}"
