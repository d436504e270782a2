"""Short ways to Models."""

import hashlib
from collections.abc import Iterable
from typing import Any

from remora.core.names import Hostname, NamespacedName
from remora.model import (
    Affinity,
    AffinityMode,
    Backend,
    BackendName,
    Balancing,
    Certificate,
    CookieAttributes,
    Endpoint,
    EndpointState,
    ExactPath,
    ForwardTo,
    HttpsRedirect,
    Model,
    PathMatch,
    PrefixPath,
    Route,
    RouteAction,
    RouteId,
    VirtualHost,
)

ORIGIN = NamespacedName("default", "web")
NAME = BackendName("default-web-80")
HASHED = BackendName("default-web-80@hash")


def endpoint(name: str, port: int, *, draining: bool = False) -> Endpoint:
    """The endpoint of a pod of that name on 127.0.0.1."""
    key = hashlib.sha256(name.encode()).hexdigest()[:20]
    return Endpoint(key, "127.0.0.1", port, name, EndpointState.DRAINING if draining else EndpointState.ACTIVE)


def backend(*endpoints: Endpoint, name: BackendName = NAME, balancing: Balancing = Balancing.ROUND_ROBIN) -> Backend:
    return Backend(name, balancing, tuple(sorted(endpoints)), origin=ORIGIN)


def sticky(mode: AffinityMode = AffinityMode.PERSISTENT, **attributes: object) -> Affinity:
    """Affinity with a cookie called `route`."""
    return Affinity(mode, "route", "ad0f3520c2b4ae4ad7cae6da8d3345ed", CookieAttributes(**attributes))  # type: ignore[arg-type]


def route(
    match: PathMatch = PrefixPath(""),  # noqa: B008 - frozen
    action: RouteAction = ForwardTo(NAME),  # noqa: B008 - frozen
    *,
    https_redirect: int | None = None,
    host: str = "web.example",
    **policies: Any,
) -> Route:
    identity = RouteId(hashlib.sha256(f"{host}{match}".encode()).hexdigest()[:16])
    return Route(identity, match, action, ORIGIN, HttpsRedirect(https_redirect) if https_redirect else None, **policies)


def host(*routes: Route, name: str = "web.example") -> VirtualHost:
    return VirtualHost(Hostname(name), routes)


def model(
    hosts: Iterable[VirtualHost] = (), backends: Iterable[Backend] = (), certificates: Iterable[Certificate] = ()
) -> Model:
    return Model(
        tuple(sorted(hosts, key=lambda item: item.host)),
        tuple(sorted(backends, key=lambda item: item.name)),
        tuple(sorted(certificates, key=lambda item: item.name)),
    )


__all__ = ["ExactPath", "backend", "endpoint", "host", "model", "route", "sticky"]
