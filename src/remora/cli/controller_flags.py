"""The flags of `remora controller`: those of ingress-nginx by its names, and a few of our own."""

import ipaddress
from typing import Any

from remora.cli.flags import Flag, Parse, one_of, parse_seconds, whole_number
from remora.core.names import NamespacedName
from remora.core.settings import INGRESS_NGINX_CONTROLLER


def _text(text: str) -> str:
    return text


def _namespaced_name(text: str) -> NamespacedName | None:
    if not text:
        return None
    try:
        return NamespacedName.parse(text)
    except ValueError as error:
        raise ValueError("namespace/name") from error


def _addresses(text: str) -> tuple[str, ...]:
    try:
        found = tuple(str(ipaddress.ip_address(part.strip().strip("[]"))) for part in text.split(","))
    except ValueError as error:
        raise ValueError("IP addresses with commas between them") from error
    return tuple(dict.fromkeys(found))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError as error:
        raise ValueError("an IP address") from error


def _servers(text: str) -> tuple[tuple[str, int], ...]:
    try:
        return tuple(_server(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError("IP addresses, with :port or without, with commas between them") from error


def _server(text: str) -> tuple[str, int]:
    """`1.2.3.4`, `1.2.3.4:53`, `fd00::1`, `[fd00::1]:53`."""
    host, colon, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
    return str(ipaddress.ip_address(host.strip("[]"))), _port(port) if colon else 53


def _listener(text: str) -> tuple[str, int] | None:
    """`:8443`, `1.2.3.4:8443`, `[fd00::1]:8443`; nothing for none."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError("an address and a port, such as :8443")
    return str(ipaddress.ip_address(host.strip("[]"))) if host else "", _port(port)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _path(text: str) -> str:
    if not text.startswith("/") or "{" in text:
        raise ValueError("a path that begins with a slash")
    return text


_port = whole_number(1, 65535)
_any_port = whole_number(0, 65535)


def _flag(name: str, default: Any, parse: Parse | None, help_text: str) -> Flag:
    return Flag(name, default, parse, help_text)


def _silent(*names: str, boolean: bool = False) -> tuple[Flag, ...]:
    return tuple(Flag(name, False if boolean else "", None if boolean else _text, effect=False) for name in names)


FLAGS: tuple[Flag, ...] = (
    _flag("ingress-class", "nginx", _text, "Value of the annotation kubernetes.io/ingress.class that is ours."),
    _flag("controller-class", INGRESS_NGINX_CONTROLLER, _text, "spec.controller of the IngressClasses that are ours."),
    _flag("ingress-class-by-name", False, None, "Also serve the IngressClass whose name is that of --ingress-class."),
    _flag("watch-ingress-without-class", False, None, "Also serve Ingresses that name no class."),
    _flag("watch-namespace", "", _text, "Serve Ingresses of this namespace only; by default of all."),
    _flag("watch-namespace-selector", "", _text, "Not supported: refused with what to do instead."),
    _flag("configmap", None, _namespaced_name, "namespace/name of the ConfigMap with settings for all Ingresses."),
    _flag(
        "annotations-prefix", "nginx.ingress.kubernetes.io", _text, "Prefix of annotations, read before ingress.kubernetes.io."
    ),
    _flag("enable-ssl-passthrough", False, None, "Honour ssl-passthrough: TLS goes to pods as it is."),
    _flag("tcp-services-configmap", None, _namespaced_name, "namespace/name of the ConfigMap with the ports of TCP services."),
    _flag("udp-services-configmap", None, _namespaced_name, "The same for UDP, which is not forwarded: an Event says so."),
    _flag("disable-catch-all", False, None, "Ignore Ingresses with spec.defaultBackend."),
    _flag("default-backend-service", None, _namespaced_name, "namespace/name of the Service that answers what no route takes."),
    _flag(
        "default-ssl-certificate", None, _namespaced_name, "namespace/name of the Secret with the certificate for other hosts."
    ),
    _flag("bind-address", ("0.0.0.0", "::"), _addresses, "IP addresses to listen on, with commas between them."),  # noqa: S104
    _flag("http-port", 80, _port, "Port for HTTP."),
    _flag("https-port", 443, _port, "Port for HTTPS."),
    _flag("publish-service", None, _namespaced_name, "namespace/name of the Service whose addresses Ingresses are to show."),
    _flag("report-node-internal-ip-address", False, None, "Show nodes by their internal addresses, if no flag names others."),
    _flag("publish-status-address", (), _words, "Addresses that Ingresses are to show, with commas between them."),
    _flag("update-status", True, None, "Write addresses to the status of Ingresses."),
    _flag("update-status-on-shutdown", True, None, "Take the address from statuses when the last replica goes."),
    _flag("status-update-interval", 60.0, parse_seconds, "Seconds after which statuses are looked at again, at least 5."),
    _flag("disable-sync-events", False, None, "Record no Event when an Ingress is first served."),
    _flag("election-id", "ingress-controller-leader", _text, "Lease by which replicas choose who writes statuses and Events."),
    _flag("election-ttl", 30.0, parse_seconds, "Seconds after which the Lease of a leader that is gone is anybody's."),
    _flag("disable-leader-election", False, None, "Take no part: this replica writes no statuses and no Events of Ingresses."),
    _flag("validating-webhook", None, _listener, "Address of the admission webhook, such as :8443; without it there is none."),
    _flag("validating-webhook-certificate", "", _text, "PEM file of its certificate, read again when it changes."),
    _flag("validating-webhook-key", "", _text, "PEM file of its key."),
    _flag("deep-inspect", True, None, "Let it look for attempts to inject configuration."),
    _flag("healthz-port", 10254, _any_port, "Port of /healthz, /readyz and /metrics."),
    _flag("healthz-host", "", _text, "Address of the health port; by default those of --bind-address."),
    _flag("health-check-path", "/healthz", _path, "Path of the health check."),
    _flag("dashboard-port", 0, _any_port, "Port of the dashboard, where viewers sign in with tokens; 0 for none."),
    _flag("dashboard-host", "127.0.0.1", _address, "Its address; 127.0.0.1 is for kubectl port-forward, others speak TLS."),
    _flag("shutdown-grace-period", 0.0, parse_seconds, "Seconds to serve on after SIGTERM, with a failing health check."),
    _flag("post-shutdown-grace-period", 0.0, parse_seconds, "Seconds to stay after HAProxy has ended."),
    _flag("kubeconfig", "", _text, "Kubeconfig file; by default the pod's own account, else $KUBECONFIG or ~/.kube/config."),
    _flag("context", "", _text, "Context of the kubeconfig; by default the current one."),
    _flag("session-key-secret", None, _namespaced_name, "namespace/name of the Secret with the key of session cookies."),
    _flag("shadow", False, None, "Serve beside the controller of today: write nothing to the API server, elect nobody."),
    _flag("publish-session-counts", False, None, "Write to pods how many sessions they have; scaling down ends the emptiest."),
    _flag(
        "session-cookie-format",
        "remora",
        one_of("remora", "ingress-nginx"),
        "Whose session cookies are issued: remora or ingress-nginx; those of both are understood.",
    ),
    _flag(
        "snippet-policy",
        "translate",
        one_of("translate", "ignore", "refuse"),
        "What becomes of snippets: translate what is understood, ignore those that keep nobody out, or refuse them all.",
    ),
    _flag("peers-service", None, _namespaced_name, "namespace/name of the headless Service of all replicas."),
    _flag("peers-port", 10244, _port, "Port on which replicas share what they learn of sessions."),
    _flag("session-learn-timeout", 43_200.0, parse_seconds, "How long a session that was learned is known without a request."),
    _flag("state-dir", "", _text, "Where HAProxy's files are kept; by default $REMORA_STATE_DIR or /var/lib/remora."),
    _flag("haproxy", "", _text, "HAProxy to run, 2.8 or newer; by default the packaged one, else the one on PATH."),
    _flag("external-proxy", False, None, "Let `remora proxy` run HAProxy, in a container that shares --state-dir."),
    _flag("threads", 0, whole_number(0, 64), "Threads of HAProxy; 0 for one per processor."),
    _flag("disable-svc-external-name", False, None, "Give Services of type ExternalName no endpoints."),
    _flag("resolvers", (), _servers, "DNS servers for such Services, IP or IP:port with commas; by default of resolv.conf."),
    _flag("enable-topology-aware-routing", False, None, "Follow hints about zones, for Services that ask for it."),
    _flag("node-name", "", _text, "The controller's node; by default $NODE_NAME."),
    _flag("topology-zone", "", _text, "The controller's zone; by default the one that its node has as a label."),
    _flag("log-format", "text", one_of("text", "json"), "text or json."),
    _flag("enable-metrics", False, None, "Measure how long requests take; what is counted is told always."),
    _flag("metrics-per-host", True, None, "Give metrics of requests the label host."),
    _flag("metrics-per-undefined-host", False, None, "Count requests for hosts of no Ingress too."),
    _flag("report-status-classes", False, None, "Report 2xx instead of 200."),
    _flag("exclude-socket-metrics", (), _words, "Metrics of requests to leave out, with commas between them."),
    _flag("v", 0, whole_number(0, 10), "Verbosity of the log; 2 and more is for debugging."),
    _flag("version", False, None, "Print the version and exit."),
    *_silent(
        "enable-ssl-chain-completion",
        "disable-full-test",
        "enable-annotation-validation",
        "profiling",
        "logtostderr",
        "alsologtostderr",
        "add_dir_header",
        "skip_headers",
        "skip_log_headers",
        "one_output",
        boolean=True,
    ),
    *_silent(
        "apiserver-host",
        "certificate-authority",
        "default-server-port",
        "ssl-passthrough-proxy-port",
        "sync-period",
        "sync-rate-limit",
        "dynamic-configuration-retries",
        "health-check-timeout",
        "time-buckets",
        "length-buckets",
        "size-buckets",
        "bucket-factor",
        "max-buckets",
        "monitor-max-batch-size",
        "profiler-port",
        "profiler-address",
        "status-port",
        "stream-port",
        "internal-logger-address",
        "maxmind-license-key",
        "maxmind-mirror",
        "maxmind-edition-ids",
        "maxmind-retries-count",
        "maxmind-retries-timeout",
        "vmodule",
        "stderrthreshold",
        "log_dir",
        "log_file",
        "log_file_max_size",
        "log_backtrace_at",
    ),
)
