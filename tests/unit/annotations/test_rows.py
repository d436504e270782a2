"""What holds for every row of the table, and that no name of ingress-nginx is unheard of."""

import re

import pytest

from remora.annotations.declare import Row, Scope, Support, rows_of
from remora.annotations.registry import GROUPS, find_nearest_name, find_row, find_setting, rows
from remora.annotations.values import ValueRefused

INGRESS_NGINX = """
affinity affinity-canary-behavior affinity-mode allowlist-source-range app-root auth-always-set-cookie auth-cache-duration
auth-cache-key auth-keepalive auth-keepalive-requests auth-keepalive-share-vars auth-keepalive-timeout auth-method
auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret auth-secret-type auth-signin
auth-signin-redirect-param auth-snippet auth-tls-error-page auth-tls-match-cn auth-tls-pass-certificate-to-upstream
auth-tls-secret auth-tls-verify-client auth-tls-verify-depth auth-type auth-url backend-protocol canary canary-by-cookie
canary-by-header canary-by-header-pattern canary-by-header-value canary-weight canary-weight-total client-body-buffer-size
configuration-snippet connection-proxy-header cors-allow-credentials cors-allow-headers cors-allow-methods cors-allow-origin
cors-expose-headers cors-max-age custom-headers custom-http-errors default-backend denylist-source-range
disable-proxy-intercept-errors enable-access-log enable-cors enable-global-auth enable-modsecurity enable-opentelemetry
enable-owasp-core-rules enable-rewrite-log fastcgi-index fastcgi-params-configmap force-ssl-redirect from-to-www-redirect
http2-push-preload limit-allowlist limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm limit-rps
load-balance mirror-host mirror-request-body mirror-target modsecurity-snippet modsecurity-transaction-id
opentelemetry-operation-name opentelemetry-trust-incoming-span permanent-redirect permanent-redirect-code
preserve-trailing-slash proxy-body-size proxy-buffer-size proxy-buffering proxy-buffers-number proxy-busy-buffers-size
proxy-connect-timeout proxy-cookie-domain proxy-cookie-path proxy-http-version proxy-max-temp-file-size proxy-next-upstream
proxy-next-upstream-timeout proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from proxy-redirect-to
proxy-request-buffering proxy-send-timeout proxy-ssl-ciphers proxy-ssl-name proxy-ssl-protocols proxy-ssl-secret
proxy-ssl-server-name proxy-ssl-verify proxy-ssl-verify-depth relative-redirects rewrite-target satisfy server-alias
server-snippet service-upstream session-cookie-change-on-failure session-cookie-conditional-samesite-none
session-cookie-domain session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-path
session-cookie-samesite session-cookie-secure ssl-ciphers ssl-passthrough ssl-prefer-server-ciphers ssl-redirect
stream-snippet temporal-redirect temporal-redirect-code upstream-hash-by upstream-hash-by-subset upstream-hash-by-subset-size
upstream-vhost use-port-in-redirects use-regex x-forwarded-prefix
"""
HISTORIC = {"session-cookie-hash"}
WRITTEN_IN_VAIN = """
add-base-url additional-response-headers brotli-level brotli-types client-body-timeout client-header-timeout
client-max-body-size connection-limit custom-request-headers enable-brotli enable-owasp-modsecurity-crs enable-real-ip
enable-websocket eventsource forwarded-for-header global-rate-limit grpc-backend health-check-interval health-check-path
health-check-timeout healthcheck-interval healthcheck-path healthcheck-port healthcheck-threshold healthcheck-timeout hsts
hsts-include-subdomains hsts-max-age hsts-preload ingress.class keepalive-timeout limit-rph load-balancer-backend-protocol
lua-resty-waf lua-resty-waf-allow-unknown-content-types lua-resty-waf-debug lua-resty-waf-process-multipart-body
lua-resty-waf-score-threshold preserve-host proxy-buffers proxy-cache-key proxy-cache-methods proxy-cache-valid
proxy-cache-valid-404 rate-limit rate-limit-burst rate-limit-burst-multiplier rate-limit-burst-size rate-limit-connections
rate-limit-rps rate-limit-status-code rate-limit-window real-ip-header secure-backends session-cookie-httponly ssl-protocols
tcp-services-configmap upstream-fail-timeout upstream-keepalive-connections upstream-keepalive-requests
upstream-keepalive-timeout upstream-max-fails use-forwarded-headers use-http2 websocket-services
"""
"""All names that were found on public Ingresses and that ingress-nginx does not read."""
GUARDS = ("auth-", "allowlist-", "denylist-", "limit-rps", "limit-rpm", "limit-connections", "limit-allowlist")

ALL = [row for group in GROUPS for row in rows_of(group).values()]


def test_all_names_of_ingress_nginx_have_a_row() -> None:
    assert len(INGRESS_NGINX.split()) == 136
    read = {row.name for row in rows() if not row.own and row.support is not Support.UNREAD}
    assert read == set(INGRESS_NGINX.split()) | HISTORIC


def test_names_that_people_write_in_vain_have_a_row() -> None:
    unread = {row.name for row in rows() if row.support is Support.UNREAD}
    assert set(WRITTEN_IN_VAIN.split()) - unread == set()


def test_what_is_said_instead_of_a_name_is_known() -> None:
    for row in (one for one in rows() if one.support is Support.UNREAD):
        for quoted in re.findall(r"`([a-z./-]+)", row.differs):
            known = find_row(f"nginx.ingress.kubernetes.io/{quoted}") or find_row(quoted) or find_setting(quoted)
            assert quoted in ("kubernetes.io/ingress.class", "ingress") or known, f"{row.name}: {quoted}"
        assert "It is a key of" not in row.differs or find_setting(row.name), row.name


def test_rows_come_in_the_order_of_their_names() -> None:
    names = [row.name for row in rows()]
    assert names == sorted(set(names))


def test_no_name_and_no_configmap_key_is_declared_twice() -> None:
    names = [name for row in ALL for name in (row.name, *row.aliases) if name]
    keys = [row.global_key for row in ALL if row.global_key]
    assert len(names) == len(set(names))
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_row_says_what_it_is_for(row: Row) -> None:
    assert row.doc.endswith(".")
    assert bool(row.differs) == (row.support is not Support.FULL)
    assert row.scope is not Scope.GLOBAL
    assert row.support in (Support.REFUSED, Support.UNREAD) or row.accepts


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_row_takes_its_examples_and_refuses_the_others(row: Row) -> None:
    for text in row.accepts:
        assert isinstance(row.parse(text), type(row.default) if row.default is not None else int)
    for text in row.refuses:
        with pytest.raises(ValueRefused):
            row.parse(text)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_what_keeps_strangers_out_guards(row: Row) -> None:
    if row.name.startswith(GUARDS) or row.name.endswith("-snippet") or row.name == "satisfy":
        assert row.guards


@pytest.mark.parametrize("alias", ["whitelist-source-range", "limit-whitelist"])
def test_an_alias_finds_the_row_of_its_name(alias: str) -> None:
    row = find_row(f"nginx.ingress.kubernetes.io/{alias}")
    assert row
    assert row.name == alias.replace("whitelist", "allowlist")
    assert find_row("nginx.ingress.kubernetes.io/nothing-like-it") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("session-cookie-nmae", "session-cookie-name"),
        ("limit-rsp", "limit-rps"),
        ("rate-limits", None),
        ("qqq", None),
    ],
)
def test_a_misspelled_name_finds_the_nearest(written: str, meant: str | None) -> None:
    assert find_nearest_name(written) == meant


def test_an_annotation_of_ours_stands_under_our_prefix_only() -> None:
    row = find_row("remora.io/session-tracking")
    assert row
    assert row.own
    assert row.key("nginx.ingress.kubernetes.io") == "remora.io/session-tracking"
    assert find_row("nginx.ingress.kubernetes.io/session-tracking") is None
    assert find_row("remora.io/affinity") is None
    assert find_nearest_name("session-traking") == "remora.io/session-tracking"
