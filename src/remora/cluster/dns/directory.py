"""What the answers depend on: Services, their EndpointSlices and namespaces, found by name and by address. Pure.

It is told of each change, so that a question costs the same however many Services there are.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from remora.cluster.objects import Object, labels_of
from remora.core.names import NamespacedName

SERVICE_NAME = "kubernetes.io/service-name"


class Directory:
    """Services by name, slices by their Service, Services by address."""

    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self._services: dict[NamespacedName, Object] = {}
        self._slices: dict[NamespacedName, dict[str, Object]] = {}
        self._owners: dict[NamespacedName, NamespacedName] = {}
        """The Service of each slice as it was last told."""
        self._by_address: dict[str, dict[NamespacedName, None]] = {}

    def find_service(self, key: NamespacedName) -> Object | None:
        return self._services.get(key)

    def slices_of(self, key: NamespacedName) -> Iterator[Object]:
        """The slices of a Service, in the order of their names."""
        found = self._slices.get(key, {})
        return (found[name] for name in sorted(found))

    def services_at(self, address: str) -> Iterator[NamespacedName]:
        """Services with this cluster address, or with an endpoint that has it."""
        return iter(sorted(self._by_address.get(address, {})))

    def clear_namespaces(self) -> None:
        """Before all are told anew; likewise the others."""
        self.namespaces.clear()

    def clear_services(self) -> None:
        for service in list(self._services.values()):
            self.set_service(service, is_there=False)

    def clear_slices(self) -> None:
        for slices in list(self._slices.values()):
            for slice_ in list(slices.values()):
                self.set_slice(slice_, is_there=False)

    def set_namespace(self, obj: Object, *, is_there: bool) -> None:
        name = obj["metadata"]["name"]
        (self.namespaces.add if is_there else self.namespaces.discard)(name)

    def set_service(self, obj: Object, *, is_there: bool) -> None:
        key = _key(obj)
        if before := self._services.pop(key, None):
            self._forget(key, _cluster_addresses(before))
        if is_there:
            self._services[key] = obj
            self._note(key, _cluster_addresses(obj))

    def set_slice(self, obj: Object, *, is_there: bool) -> None:
        key = _key(obj)
        if (owner := self._owners.pop(key, None)) and (before := self._slices[owner].pop(key.name, None)):
            self._forget(owner, _addresses(before))
            for other in self._slices[owner].values():
                self._note(owner, _addresses(other))
        service = labels_of(obj).get(SERVICE_NAME)
        if is_there and service:
            owner = NamespacedName(key.namespace, service)
            self._owners[key] = owner
            self._slices.setdefault(owner, {})[key.name] = obj
            self._note(owner, _addresses(obj))

    def _note(self, key: NamespacedName, addresses: Iterator[str]) -> None:
        for address in addresses:
            self._by_address.setdefault(address, {})[key] = None

    def _forget(self, key: NamespacedName, addresses: Iterator[str]) -> None:
        for address in addresses:
            if known := self._by_address.get(address):
                known.pop(key, None)
                if not known:
                    del self._by_address[address]


def _key(obj: Mapping[str, Any]) -> NamespacedName:
    return NamespacedName(obj["metadata"]["namespace"], obj["metadata"]["name"])


def _cluster_addresses(service: Mapping[str, Any]) -> Iterator[str]:
    spec = service["spec"]
    yield from {spec.get("clusterIP"), *(spec.get("clusterIPs") or ())} - {None, "", "None"}


def _addresses(slice_: Mapping[str, Any]) -> Iterator[str]:
    for endpoint in slice_.get("endpoints") or ():
        yield from endpoint.get("addresses") or ()
