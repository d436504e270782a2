"""What the person who runs Remora decides: flags and the controller's ConfigMap, as frozen values."""

import msgspec

from remora.core.names import NamespacedName
from remora.core.options import ProxyOptions

INGRESS_NGINX_CONTROLLER = "k8s.io/ingress-nginx"
"""`spec.controller` of the IngressClass that ingress-nginx installs."""

REMORA_CONTROLLER = "remora.io/ingress-controller"
"""`spec.controller` of our own IngressClass."""

REMORA_CLASS = "remora"

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - an Ingress controller listens everywhere unless told otherwise


class RoutingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What translation depends on beside the objects.

    `session_key` is the secret from which endpoints' session keys are made; every replica has the same. The names of the
    rest are ingress-nginx's flags and ConfigMap keys.
    """

    session_key: bytes
    ingress_class: str = "nginx"
    controller_class: str = INGRESS_NGINX_CONTROLLER
    ingress_class_by_name: bool = False
    watch_ingress_without_class: bool = False
    annotations_prefixes: tuple[str, ...] = ("nginx.ingress.kubernetes.io", "ingress.kubernetes.io")
    """Where both give a value, the earlier prefix wins."""
    disable_catch_all: bool = False
    session_cookie_format: str = "remora"
    """Whose session cookies are issued where no annotation says another: `remora` or `ingress-nginx`."""
    snippet_policy: str = "translate"
    """What becomes of snippets of Ingresses: `translate`, `ignore` or `refuse`."""
    default_backend_service: NamespacedName | None = None
    default_ssl_certificate: NamespacedName | None = None
    configmap: NamespacedName | None = None
    disable_svc_external_name: bool = False
    zone: str = ""
    """Of the controller's node; "" where hints about zones are not followed."""
    node: str = ""
    """The controller's node; "" where hints about nodes are not followed."""
    peers_service: NamespacedName | None = None
    """The headless Service of all replicas."""
    instance: str = ""
    """This replica: the pod's name."""
    tcp_services: NamespacedName | None = None
    """The ConfigMap with the ports of TCP services."""
    udp_services: NamespacedName | None = None
    reserved_ports: tuple[int, ...] = (80, 443)
    """What no TCP service may listen on."""
    ssl_passthrough: bool = False

    def __repr__(self) -> str:
        return f"RoutingSettings({self.ingress_class}, {self.controller_class}, session_key=<redacted>)"


class ProxySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What HAProxy's program depends on. Times are in seconds; directories are absolute paths.

    `state_directory` holds configuration, maps, certificates and sockets; `bind_addresses` are IP addresses without brackets.
    """

    state_directory: str
    bind_addresses: tuple[str, ...] = EVERYWHERE
    http_port: int = 80
    https_port: int = 443
    threads: int = 0
    """0 lets HAProxy use every processor that it may run on."""
    maximum_connections: int = 0
    """0 lets HAProxy derive it from the limit on open files."""
    connect_timeout: int = 5
    request_timeout: int = 60
    """For a request's headers; `client_timeout` is for a silent client otherwise."""
    client_timeout: int = 60
    server_timeout: int = 60
    keep_alive_timeout: int = 75
    tunnel_timeout: int = 3600
    old_worker_timeout: int = 240
    """How long a worker of before a reload may finish its connections (ingress-nginx: `worker-shutdown-timeout`)."""
    old_workers: int = 10
    """How many of them may at a time. Each holds all the memory that it had, so that their age alone would let reloads in a row
    fill any machine."""
    session_table_size: int = 1_000_000
    """Sessions that can be told apart at a time, over all routes that track them."""
    session_table_expire: int = 3600
    """How long a session that is not seen any more stays in the table."""
    lifetime_key: str = ""
    """Signs the lifetimes in session cookies: base64, the same on every replica. With "" no signature is right."""
    learned_table_size: int = 1_000_000
    """Sessions named by applications that are known at a time, over all routes that learn them."""
    learned_table_expire: int = 43_200
    """How long one that is not seen any more is known."""
    peer_name: str = "remora"
    """What this replica is called among its peers: the pod's name, if there are any."""
    peers_address: str = ""
    """Where it listens for them, on `peers_port`; "" where it has none."""
    peers_port: int = 10244
    ssl_passthrough: bool = False
    """Whether TLS of some hosts goes to their pods as it is."""
    measures_requests: bool = False
    """Whether durations and sizes of requests are measured for metrics."""
    options: ProxyOptions = ProxyOptions()
    """What of the controller's ConfigMap is not in the fields above; see `proxy_settings`."""

    def __repr__(self) -> str:
        return f"ProxySettings({self.state_directory}, lifetime_key=<redacted>)"


def proxy_settings(base: ProxySettings, options: ProxyOptions) -> ProxySettings:
    """The settings that `base`, made from the flags, and the ConfigMap give together.

    A flag that was given goes before the key that says the same: `--threads` before worker-processes, `--bind-address` before
    bind-address. `disable-ipv6` takes addresses out of either, unless none would be left.
    """
    said: dict[str, object] = {
        "old_worker_timeout": options.worker_shutdown_timeout,
        "maximum_connections": options.max_worker_connections,
        "request_timeout": options.client_header_timeout,
        "client_timeout": options.client_body_timeout,
        "keep_alive_timeout": options.keep_alive,
        "connect_timeout": options.proxy_connect_timeout,
        "server_timeout": options.proxy_read_timeout,
        "tunnel_timeout": options.proxy_read_timeout,
        "threads": base.threads or options.worker_processes,
        "bind_addresses": _addresses(base, options),
        "options": options,
    }
    changes = {field: value for field, value in said.items() if value is not None}
    return msgspec.structs.replace(base, **changes)


def _addresses(base: ProxySettings, options: ProxyOptions) -> tuple[str, ...]:
    is_given = base.bind_addresses != EVERYWHERE
    said = (*(options.bind_address or ()), *options.bind_address_ipv4, *options.bind_address_ipv6)
    addresses = base.bind_addresses if is_given or not said else tuple(dict.fromkeys(said))
    remaining = tuple(address for address in addresses if ":" not in address)
    return remaining if options.disable_ipv6 and remaining else addresses
