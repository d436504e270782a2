"""Where kinds are found in the API: group, version and plural."""

from collections.abc import Callable

import msgspec

from remora.core.names import NamespacedName
from remora.kube.objects import ConfigMap, EndpointSlice, Ingress, IngressClass, KubernetesObject, Node, Pod, Secret, Service
from remora.kube.objects.lease import Lease
from remora.kube.objects.pod import is_marked
from remora.kube.objects.running_pod import RunningPod

Kind = type[KubernetesObject]


class Resource(msgspec.Struct, frozen=True):
    """`prefix` is the path of group and version; `plural` the resource's name in it.

    Of a kind that is `metadata_only` nothing else is asked for. `keeps` chooses the objects that are followed, as a selector
    does, by what the API server cannot select by; None means all.
    """

    prefix: str
    plural: str
    namespaced: bool = True
    metadata_only: bool = False
    keeps: Callable[[KubernetesObject], bool] | None = None

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of the collection, or of the object called `name`."""
        parts = [self.prefix]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        return "/".join([*parts, self.plural, *([name] if name else [])])

    def accept(self, *, listing: bool) -> str:
        """The Accept header of a list or a watch; who does not know the first form answers with whole objects."""
        if not self.metadata_only:
            return "application/json"
        form = "PartialObjectMetadataList" if listing else "PartialObjectMetadata"
        return f"application/json;as={form};g=meta.k8s.io;v=v1,application/json"


RESOURCES: dict[Kind, Resource] = {
    Ingress: Resource("/apis/networking.k8s.io/v1", "ingresses"),
    IngressClass: Resource("/apis/networking.k8s.io/v1", "ingressclasses", namespaced=False),
    Service: Resource("/api/v1", "services"),
    EndpointSlice: Resource("/apis/discovery.k8s.io/v1", "endpointslices"),
    Secret: Resource("/api/v1", "secrets"),
    ConfigMap: Resource("/api/v1", "configmaps"),
    Node: Resource("/api/v1", "nodes", namespaced=False),
    Lease: Resource("/apis/coordination.k8s.io/v1", "leases"),
    Pod: Resource("/api/v1", "pods", metadata_only=True, keeps=is_marked),
    RunningPod: Resource("/api/v1", "pods"),
}

EVENTS = Resource("/api/v1", "events")
NAMESPACES = Resource("/api/v1", "namespaces", namespaced=False)


class Scope(msgspec.Struct, frozen=True):
    """The objects that one reflector follows: a kind, in one namespace ("" for all), perhaps only one name, perhaps only
    those with a label of that value. A `selector` is in the words of kubectl, and `covers` does not know it."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    label: tuple[str, str] | None = None
    selector: str = ""

    @property
    def path(self) -> str:
        return RESOURCES[self.kind].path(self.namespace)

    @property
    def selectors(self) -> dict[str, str]:
        """As parameters of a list or watch."""
        selectors = {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        wanted = "{}={}".format(*self.label) if self.label else self.selector
        return selectors | ({"labelSelector": wanted} if wanted else {})

    def covers(self, obj: KubernetesObject) -> bool:
        """Whether the reflector would see this object."""
        meta = obj.metadata
        if not isinstance(obj, self.kind) or (self.namespace and meta.namespace != self.namespace):
            return False
        if self.name and meta.name != self.name:
            return False
        return self.label is None or meta.labels.get(self.label[0]) == self.label[1]

    def __str__(self) -> str:
        return f"{RESOURCES[self.kind].plural} of {self.namespace or 'all namespaces'}"


def one(kind: Kind, name: NamespacedName) -> Scope:
    """The scope of a single object."""
    return Scope(kind, name.namespace, name.name)
