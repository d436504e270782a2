"""What every object has: its metadata (Kubernetes `ObjectMeta`)."""

import msgspec

from remora.core.names import NamespacedName, ObjectRef


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of everything decoded from the API."""


class ObjectMeta(Wire, frozen=True):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    """RFC 3339 in UTC with one second's resolution, so comparing the text compares the time."""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class KubernetesObject(Wire, frozen=True):
    """An object of the API. `KIND` is the kind's name; list answers omit it from their items."""

    metadata: ObjectMeta

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.metadata.namespace, self.metadata.name)

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(type(self).__name__, self.key, self.metadata.uid)
