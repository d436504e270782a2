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
from remora.annotations.declare import rows_of
from remora.annotations.registry import Parsed


class Need(msgspec.Struct, frozen=True):
    """What annotations, by their names, need beside them. The controller's ConfigMap may have it too: `is_met` sees both."""

    names: frozenset[str]
    needed: str
    is_met: Callable[[Parsed], bool]


def _asks_elsewhere(parsed: Parsed) -> bool:
    own = parsed.of(AuthExternal)
    return bool(own.url or (own.global_auth and parsed.of(GlobalAuth).url))


def _others(group: type, *names: str) -> frozenset[str]:
    """The annotations of the group but these, which say something by themselves."""
    return frozenset(row.name for row in rows_of(group).values()).difference(names)


NEEDS = (
    Need(_others(AuthBasic, "auth-type", "satisfy"), "auth-type", lambda parsed: bool(parsed.of(AuthBasic).kind)),
    Need(_others(AuthExternal, "auth-url", "enable-global-auth"), "auth-url", _asks_elsewhere),
    Need(
        _others(Affinity, "affinity", "affinity-mode", "affinity-canary-behavior"),
        "affinity: cookie",
        lambda parsed: parsed.of(Affinity).kind == "cookie",
    ),
    Need(_others(Canary, "canary"), 'canary: "true"', lambda parsed: parsed.of(Canary).enabled),
    Need(_others(Cors, "enable-cors"), 'enable-cors: "true"', lambda parsed: parsed.of(Cors).enabled),
    Need(_others(BackendTls, "proxy-ssl-secret"), "proxy-ssl-secret", lambda parsed: bool(parsed.of(BackendTls).secret)),
)


def find_lacking(name: str, parsed: Parsed) -> str:
    """What the annotation of that name needs and the Ingress lacks; "" if it lacks nothing."""
    return next((need.needed for need in NEEDS if name in need.names and not need.is_met(parsed)), "")
