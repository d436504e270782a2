"""Routing as it is meant: listeners, virtual hosts, routes, backends, endpoints, certificates, policies.

Made by `translate`, read by `haproxy`. Everything is frozen, compares by value, and knows neither a Kubernetes word nor an
HAProxy word; references are resolved and defaults applied.
"""

from remora.model.backend import (
    Affinity,
    AffinityMode,
    Backend,
    BackendName,
    Balancing,
    CookieAttributes,
    Endpoint,
    EndpointState,
    SameSite,
)
from remora.model.certificate import Certificate
from remora.model.policies import ClientHost, Cors, UpstreamHost
from remora.model.routing import (
    Canary,
    ConstantPath,
    ExactPath,
    ForwardTo,
    HeaderCondition,
    HeaderTest,
    Model,
    PathMatch,
    PathRewrite,
    PrefixPath,
    RedirectTo,
    RegexPath,
    ReplacePath,
    Route,
    RouteAction,
    RouteId,
    StripPrefix,
    Unavailable,
    VirtualHost,
)

__all__ = [
    "Affinity",
    "AffinityMode",
    "Backend",
    "BackendName",
    "Balancing",
    "Canary",
    "Certificate",
    "ClientHost",
    "ConstantPath",
    "CookieAttributes",
    "Cors",
    "Endpoint",
    "EndpointState",
    "ExactPath",
    "ForwardTo",
    "HeaderCondition",
    "HeaderTest",
    "Model",
    "PathMatch",
    "PathRewrite",
    "PrefixPath",
    "RedirectTo",
    "RegexPath",
    "ReplacePath",
    "Route",
    "RouteAction",
    "RouteId",
    "SameSite",
    "StripPrefix",
    "Unavailable",
    "UpstreamHost",
    "VirtualHost",
]
