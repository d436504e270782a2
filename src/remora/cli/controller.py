"""`remora controller`: the Ingress controller, with the flags of ingress-nginx."""

import logging
import os
from collections.abc import Mapping
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import typer

from remora.core.errors import UsageError

if TYPE_CHECKING:
    from remora.cli.flags import Given
    from remora.controller.run import Beside
    from remora.controller.settings import ControllerSettings
    from remora.observe.nginx_metrics import NginxMetricsSettings

CONTEXT_SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["--help-of-typer"]}
"""For the registration of the command: its arguments come to it as they were typed."""


def controller(context: typer.Context) -> None:
    """Run the Ingress controller against a Kubernetes API; its flags are those of ingress-nginx."""
    run(context.args, os.environ)


_SHORTEST_STATUS_INTERVAL = 5.0
"""Seconds, as in ingress-nginx: each look may write the status of every Ingress."""


def run(arguments: list[str], environ: Mapping[str, str]) -> None:
    """Runs the controller until it is told to stop.

    Raises:
        UsageError: a flag is unknown or has a value that it cannot have.
    """
    from remora.cli.catalogue import examples_text
    from remora.cli.controller_flags import FLAGS
    from remora.cli.flags import parse_flags, render_help

    if {"--help", "-h"} & set(arguments):
        print(render_help(FLAGS), examples_text("controller"), sep="\n\n")
        return
    given = parse_flags(arguments, FLAGS)
    if given["version"]:
        from importlib.metadata import version

        print(f"remora {version('remora')}")
        return
    from remora.controller.garbage import collect_seldom, uncollected

    collect_seldom()
    # What is imported stays, and to look for garbage in it takes as long as every eighth import.
    with uncollected():
        settings = settings_of(given, environ)

        from remora.cli.webhook import judge_of
        from remora.controller.run import run_controller
        from remora.observe.logs import LogFormat, configure_logging

    configure_logging(LogFormat(given["log-format"]), verbose=given["v"] >= 2)
    if silent := sorted(flag.name for flag in FLAGS if flag.name in given.names and not flag.effect):
        logging.getLogger(__name__).warning("accepted without effect: %s", ", ".join(f"--{name}" for name in silent))
    run_controller(settings, judge_of(given), _beside(given, settings))


def _beside(given: "Given", settings: "ControllerSettings") -> tuple["Beside", ...]:
    """What runs as long as the controller does."""
    if not given["dashboard-port"]:
        return ()
    from functools import partial

    from remora.cli.dashboard_child import child_arguments, run_child

    words = child_arguments(
        host=given["dashboard-host"],
        port=given["dashboard-port"],
        health_host=settings.health.hosts[0],
        health_port=settings.health.port,
        kubeconfig=settings.kubeconfig,
        context=settings.context,
    )
    return (partial(run_child, words),)


def settings_of(given: "Given", environ: Mapping[str, str]) -> "ControllerSettings":
    """What flags and environment say, checked against one another.

    Raises:
        UsageError: two flags exclude each other.
    """
    from remora.cli.webhook import webhook_of
    from remora.controller.place import TopologySettings
    from remora.controller.settings import ControllerSettings, HealthSettings
    from remora.controller.state import state_directory
    from remora.core.settings import ProxySettings, RoutingSettings
    from remora.resolve.lookup import ResolverSettings
    from remora.status.addresses import PublishSettings
    from remora.status.election import ElectionSettings

    if given["publish-service"] and given["publish-status-address"]:
        raise UsageError("--publish-service and --publish-status-address exclude each other; give one of them")
    if given["watch-namespace-selector"]:
        raise UsageError(
            "--watch-namespace-selector is not supported; give --watch-namespace=NAME or neither for all namespaces"
        )
    is_shadow = _is_shadow(given)
    addresses = given["bind-address"]
    hosts = (given["healthz-host"],) if given["healthz-host"] else addresses
    _refuse_shared_ports(given, hosts)
    return ControllerSettings(
        routing=RoutingSettings(session_key=b"", instance=_instance(environ), **routing_of(given)),
        proxy=ProxySettings(
            state_directory=str(state_directory(given["state-dir"], environ)),
            bind_addresses=addresses,
            http_port=given["http-port"],
            https_port=given["https-port"],
            threads=given["threads"],
            measures_requests=given["enable-metrics"],
            ssl_passthrough=given["enable-ssl-passthrough"],
            learned_table_expire=max(1, round(given["session-learn-timeout"])),
            **_peers_of(given, environ),
        ),
        publish=PublishSettings(
            given["publish-status-address"],
            given["publish-service"],
            given["update-status"] and not is_shadow,
            given["report-node-internal-ip-address"],
        ),
        health=HealthSettings(hosts=hosts, port=given["healthz-port"], path=given["health-check-path"]),
        metrics=_metrics_of(given, environ),
        kubeconfig=given["kubeconfig"],
        context=given["context"],
        watch_namespace=given["watch-namespace"],
        session_key_secret=given["session-key-secret"],
        haproxy=given["haproxy"] or None,
        external_proxy=given["external-proxy"],
        instance=_instance(environ),
        status_interval=max(given["status-update-interval"], _SHORTEST_STATUS_INTERVAL),
        sync_events=not given["disable-sync-events"],
        is_shadow=is_shadow,
        shutdown_grace_period=given["shutdown-grace-period"],
        post_shutdown_grace_period=given["post-shutdown-grace-period"],
        empties_statuses=given["update-status-on-shutdown"] and not is_shadow,
        publish_session_counts=given["publish-session-counts"],
        webhook=webhook_of(given),
        election=ElectionSettings(
            not given["disable-leader-election"] and not is_shadow, given["election-id"], _election_ttl(given)
        ),
        resolver=ResolverSettings(servers=given["resolvers"]),
        topology=TopologySettings(
            enabled=given["enable-topology-aware-routing"],
            node=given["node-name"] or environ.get("NODE_NAME", ""),
            zone=given["topology-zone"],
        ),
    )


def _refuse_shared_ports(given: "Given", health_hosts: tuple[str, ...]) -> None:
    """Of two who listen on one port of one address, the second would fail, or each get a part of the connections.

    Raises:
        UsageError: two flags name the same port of an address.
    """
    addresses = given["bind-address"]
    hosts = {
        "http-port": addresses,
        "https-port": addresses,
        "healthz-port": health_hosts,
        "dashboard-port": (given["dashboard-host"],),
    }
    for one, other in combinations(hosts, 2):
        meet = any(_overlap(*pair) for pair in product(hosts[one], hosts[other]))
        if meet and given[one] and given[one] == given[other]:
            raise UsageError(f"--{one} and --{other} are both {given[one]}; give each a port of its own")


def _overlap(one: str, other: str) -> bool:
    """Whether two addresses to listen on have one in common."""
    any_address = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
    is_same_family = (":" in one) is (":" in other)
    return one == other or (is_same_family and (one in any_address or other in any_address))


def _is_shadow(given: "Given") -> bool:
    """Whether the controller shadows another one.

    Raises:
        UsageError: it is asked to write, or to decide what may be written, as well.
    """
    for name in ("publish-session-counts", "validating-webhook") if given["shadow"] else ():
        if given[name]:
            raise UsageError(f"--shadow and --{name} exclude each other: a shadow changes nothing in the cluster")
    return bool(given["shadow"])


_PORTS_OF_INGRESS_NGINX = (80, 443, 442, 8181, 10254, 10245, 10246, 10247)
"""What TCP services cannot have there, so that nobody relies on having them here."""


def _metrics_of(given: "Given", environ: Mapping[str, str]) -> "NginxMetricsSettings":
    """ingress-nginx's flags about metrics.

    Raises:
        UsageError: hosts of no Ingress are to be told apart, but no host is.
    """
    from remora.observe.nginx_metrics import NginxMetricsSettings

    if given["metrics-per-undefined-host"] and not given["metrics-per-host"]:
        raise UsageError("--metrics-per-undefined-host needs --metrics-per-host; give both or neither")
    return NginxMetricsSettings(
        enabled=given["enable-metrics"],
        per_host=given["metrics-per-host"],
        per_undefined_host=given["metrics-per-undefined-host"],
        status_classes=given["report-status-classes"],
        excluded=given["exclude-socket-metrics"],
        controller_class=given["controller-class"],
        controller_namespace=environ.get("POD_NAMESPACE", ""),
        controller_pod=_instance(environ),
        election=given["election-id"],
    )


def _instance(environ: Mapping[str, str]) -> str:
    return environ.get("POD_NAME") or os.uname().nodename


def _election_ttl(given: "Given") -> float:
    seconds: float = given["election-ttl"]
    if seconds < 1:
        raise UsageError("--election-ttl: a second is the least")
    return seconds


def _peers_of(given: "Given", environ: Mapping[str, str]) -> dict[str, Any]:
    """The fields of ProxySettings about other replicas.

    Raises:
        UsageError: it is unknown at which address they reach this one.
    """
    if given["peers-service"] is None:
        return {}
    address = environ.get("POD_IP") or next((one for one in given["bind-address"] if one not in ("0.0.0.0", "::")), "")  # noqa: S104
    if not address:
        raise UsageError("--peers-service needs the pod's own address: set POD_IP, or give it as --bind-address")
    return {"peer_name": _instance(environ), "peers_address": address, "peers_port": given["peers-port"]}


def routing_of(given: "Given") -> dict[str, Any]:
    """The fields of RoutingSettings that the flags give."""
    from remora.core.settings import RoutingSettings

    names = {
        "ingress_class": "ingress-class",
        "controller_class": "controller-class",
        "ingress_class_by_name": "ingress-class-by-name",
        "watch_ingress_without_class": "watch-ingress-without-class",
        "disable_catch_all": "disable-catch-all",
        "session_cookie_format": "session-cookie-format",
        "snippet_policy": "snippet-policy",
        "default_backend_service": "default-backend-service",
        "default_ssl_certificate": "default-ssl-certificate",
        "configmap": "configmap",
        "disable_svc_external_name": "disable-svc-external-name",
        "peers_service": "peers-service",
        "tcp_services": "tcp-services-configmap",
        "udp_services": "udp-services-configmap",
        "ssl_passthrough": "enable-ssl-passthrough",
    }
    values = {field: given[name] for field, name in names.items()}
    ports = (given[name] for name in ("http-port", "https-port", "healthz-port", "peers-port"))
    dashboard = {given["dashboard-port"]} - {0}
    values["reserved_ports"] = tuple(sorted({*ports, *dashboard, *_PORTS_OF_INGRESS_NGINX}))
    if given["enable-topology-aware-routing"]:
        values |= {"zone": given["topology-zone"], "node": given["node-name"]}
    if given["shadow"] and "session-cookie-format" not in given.names:
        values["session_cookie_format"] = "ingress-nginx"  # what it issues, the controller that it shadows must understand
    if "annotations-prefix" in given.names:
        usual = RoutingSettings(session_key=b"").annotations_prefixes
        values["annotations_prefixes"] = tuple(dict.fromkeys((given["annotations-prefix"], *usual[1:])))
    return values
