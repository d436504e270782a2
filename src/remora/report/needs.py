"""Annotations that do nothing without another: what each needs, as the translation reads them. Pure."""

from collections.abc import Callable

import msgspec

from remora.annotations.affinity import Affinity
from remora.annotations.auth_basic import AuthBasic
from remora.annotations.auth_external import AuthExternal
from remora.annotations.backend_tls import BackendTls
from remora.annotations.canary import Canary
from remora.annotations.configmap import GlobalAuth
from remora.annotations.cors import Cors
from remora.annotations.registry import Parsed


class Need(msgspec.Struct, frozen=True):
    """What annotations, by their names, need beside them. The controller's ConfigMap may have it too: `is_met` sees both."""

    names: frozenset[str]
    needed: str
    is_met: Callable[[Parsed], bool]


def _asks_elsewhere(parsed: Parsed) -> bool:
    own = parsed.of(AuthExternal)
    return bool(own.url or (own.global_auth and parsed.of(GlobalAuth).url))


NEEDS = (
    Need(
        frozenset(("auth-secret", "auth-secret-type", "auth-realm")),
        "auth-type",
        lambda parsed: bool(parsed.of(AuthBasic).kind),
    ),
    Need(
        frozenset(
            (
                "auth-method", "auth-response-headers", "auth-proxy-set-headers", "auth-always-set-cookie", "auth-signin",
                "auth-signin-redirect-param", "auth-request-redirect", "auth-cache-key", "auth-cache-duration", "auth-timeout",
                "auth-keepalive", "auth-keepalive-requests", "auth-keepalive-timeout", "auth-keepalive-share-vars",
                "auth-snippet",
            )
        ),
        "auth-url",
        _asks_elsewhere,
    ),
    Need(
        frozenset(
            (
                "session-cookie-name", "session-cookie-secure", "session-cookie-path", "session-cookie-domain",
                "session-cookie-samesite", "session-cookie-conditional-samesite-none", "session-cookie-expires",
                "session-cookie-max-age", "session-cookie-change-on-failure",
            )
        ),
        "affinity: cookie",
        lambda parsed: parsed.of(Affinity).kind == "cookie",
    ),
    Need(
        frozenset(
            (
                "canary-weight", "canary-weight-total", "canary-by-header", "canary-by-header-value",
                "canary-by-header-pattern", "canary-by-cookie",
            )
        ),
        'canary: "true"',
        lambda parsed: parsed.of(Canary).enabled,
    ),
    Need(
        frozenset(
            (
                "cors-allow-origin", "cors-allow-methods", "cors-allow-headers", "cors-allow-credentials",
                "cors-expose-headers", "cors-max-age",
            )
        ),
        'enable-cors: "true"',
        lambda parsed: parsed.of(Cors).enabled,
    ),
    Need(
        frozenset(("proxy-ssl-verify", "proxy-ssl-ciphers", "proxy-ssl-protocols", "proxy-ssl-name", "proxy-ssl-server-name")),
        "proxy-ssl-secret",
        lambda parsed: bool(parsed.of(BackendTls).secret),
    ),
)  # fmt: skip


def find_lacking(name: str, parsed: Parsed) -> str:
    """What the annotation of that name needs and the Ingress lacks; "" if it lacks nothing."""
    return next((need.needed for need in NEEDS if name in need.names and not need.is_met(parsed)), "")
