"""What the one who starts the controller decided, as a value."""

import msgspec

from remora.controller.place import TopologySettings
from remora.controller.webhook import WebhookSettings
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings, RoutingSettings
from remora.kube.objects import ConfigMap, EndpointSlice, Secret, Service
from remora.kube.objects.endpointslice import SERVICE_NAME_LABEL
from remora.kube.resources import Scope, one
from remora.observe.nginx_metrics import NginxMetricsSettings
from remora.resolve.lookup import ResolverSettings
from remora.status.addresses import PublishSettings
from remora.status.election import ElectionSettings
from remora.watch.snapshot import KINDS


class HealthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where health and metrics are served. `hosts` are addresses."""

    hosts: tuple[str, ...]
    port: int = 10254
    path: str = "/healthz"


class ControllerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that flags and environment say. Times are in seconds.

    `routing` has no session key yet: it is fetched from `session_key_secret`, or where that is None from the Secret
    `remora-session-key` of the controller's own namespace.
    """

    routing: RoutingSettings
    proxy: ProxySettings
    publish: PublishSettings
    health: HealthSettings
    metrics: NginxMetricsSettings = NginxMetricsSettings()
    kubeconfig: str = ""
    context: str = ""
    watch_namespace: str = ""
    session_key_secret: NamespacedName | None = None
    haproxy: str | None = None
    external_proxy: bool = False
    """Whether HAProxy is run by `remora proxy`."""
    instance: str = ""
    """What Events call the reporting controller: the pod's name."""
    status_interval: float = 60.0
    sync_events: bool = True
    shutdown_grace_period: float = 0.0
    post_shutdown_grace_period: float = 0.0
    empties_statuses: bool = True
    """Whether the last replica takes its address from statuses when it goes."""
    publish_session_counts: bool = False
    is_shadow: bool = False
    """Whether it serves beside another controller, whose class, statuses and Events it leaves alone: it writes nothing."""
    resolver: ResolverSettings = ResolverSettings()
    topology: TopologySettings = TopologySettings()
    election: ElectionSettings = ElectionSettings()
    webhook: WebhookSettings | None = None


def scopes_of(settings: ControllerSettings) -> tuple[Scope, ...]:
    """What to follow: every kind, and with `watch_namespace` also the single objects elsewhere that flags name."""
    watched = settings.watch_namespace
    scopes = [Scope(kind, watched) for kind in KINDS]
    if not watched:
        return tuple(scopes)
    # IngressClasses have no namespace; `path` leaves it out, and `covers` must not ask for it.
    scopes = [Scope(scope.kind) if scope.kind.__name__ == "IngressClass" else scope for scope in scopes]
    routing = settings.routing
    named = (
        (ConfigMap, routing.configmap),
        (ConfigMap, routing.tcp_services),
        (ConfigMap, routing.udp_services),
        (Secret, routing.default_ssl_certificate),
        (Service, routing.default_backend_service),
        (Service, settings.publish.service),
    )
    extra = {one(kind, name): None for kind, name in named if name is not None and name.namespace != watched}
    for service in (routing.default_backend_service, routing.peers_service):
        if service is not None and service.namespace != watched:
            extra[Scope(EndpointSlice, service.namespace, label=(SERVICE_NAME_LABEL, service.name))] = None
    return (*scopes, *extra)
