"""discovery.k8s.io/v1 EndpointSlice."""

from remora.core.names import NamespacedName
from remora.kube.objects.meta import KubernetesObject, Wire

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label that says which Service a slice belongs to (discovery.k8s.io well-known labels)."""


class EndpointConditions(Wire, frozen=True):
    """`None` means unknown, which the API asks consumers to read as true (`ready`, `serving`) or false (`terminating`)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetRef(Wire, frozen=True):
    """What stands behind an endpoint: a pod of the slice's namespace."""

    name: str = ""
    uid: str = ""


class ForZone(Wire, frozen=True):
    name: str


class ForNode(Wire, frozen=True):
    name: str


class EndpointHints(Wire, frozen=True):
    """Whose clients are to use an endpoint."""

    for_zones: tuple[ForZone, ...] | None = ()
    for_nodes: tuple[ForNode, ...] | None = ()


class Endpoint(Wire, frozen=True):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    target_ref: TargetRef | None = None
    zone: str = ""
    hints: EndpointHints | None = None
    node_name: str = ""


class EndpointPort(Wire, frozen=True):
    name: str = ""
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(KubernetesObject, frozen=True):
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = ()
    """The API server writes `null` for a slice without endpoints."""
    ports: tuple[EndpointPort, ...] | None = ()

    @property
    def service(self) -> NamespacedName | None:
        """The Service that the slice belongs to, or None for a slice of nobody's."""
        name = self.metadata.labels.get(SERVICE_NAME_LABEL)
        return NamespacedName(self.metadata.namespace, name) if name else None

    def names(self, pod: str) -> bool:
        """Whether an endpoint is the pod of that name."""
        return any(one.target_ref is not None and one.target_ref.name == pod for one in self.endpoints or ())
