"""Which addresses an Ingress is reached at, and which Ingresses do not say so yet. Pure."""

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter

import msgspec

from remora.core.names import NamespacedName, ObjectRef
from remora.kube.objects import Ingress, Service
from remora.kube.objects.ingress import IngressLoadBalancerIngress
from remora.watch.snapshot import Snapshot

Addresses = tuple[IngressLoadBalancerIngress, ...]


class PublishSettings(msgspec.Struct, frozen=True):
    """From flags: fixed `addresses`, or a `service` whose addresses are ours. With neither, those of the controller's nodes
    count, their internal ones if those are wanted."""

    addresses: tuple[str, ...] = ()
    service: NamespacedName | None = None
    is_enabled: bool = True
    internal_of_nodes: bool = False

    @property
    def asks_nodes(self) -> bool:
        """Whether nobody said what the addresses are."""
        return self.is_enabled and not self.addresses and self.service is None


class StatusPatch(msgspec.Struct, frozen=True):
    """The addresses that an Ingress is to have."""

    ingress: NamespacedName
    addresses: Addresses

    def body(self) -> dict[str, object]:
        """As a merge patch of the subresource `status`."""
        return {"status": {"loadBalancer": {"ingress": [msgspec.to_builtins(address) for address in self.addresses]}}}


def decide_addresses(settings: PublishSettings, service: Service | None) -> Addresses | None:
    """The addresses to publish; None if nothing is to be written, since nobody said or the Service is not there."""
    if not settings.is_enabled:
        return None
    if settings.addresses:
        return _ordered(map(_address, settings.addresses))
    if settings.service is None or service is None:
        return None
    return _ordered(_addresses_of(service))


def decide_patches(snapshot: Snapshot, published: Iterable[ObjectRef], addresses: Addresses | None) -> tuple[StatusPatch, ...]:
    """What to write so that each of these Ingresses tells the addresses; nothing for those that do already."""
    if addresses is None:
        return ()
    patches = []
    for ref in published:
        ingress = snapshot.find(Ingress, ref.name)
        if ingress is None or ingress.status.load_balancer.ingress == addresses:
            continue
        if _ordered(ingress.status.load_balancer.ingress) != addresses:
            patches.append(StatusPatch(ref.name, addresses))
    return fairly(patches)


def fairly(patches: Iterable[StatusPatch]) -> tuple[StatusPatch, ...]:
    """The patches so that namespaces take turns: nobody waits for all of another's."""
    numbers: Counter[str] = Counter()
    turns = []
    for patch in patches:
        numbers[patch.ingress.namespace] += 1
        turns.append((numbers[patch.ingress.namespace], patch))
    return tuple(patch for _, patch in sorted(turns, key=itemgetter(0)))


def decide_farewell(published: Iterable[ObjectRef], addresses: Addresses | None) -> tuple[StatusPatch, ...]:
    """What to write so that no served Ingress tells an address at which nobody will answer.

    All of them, since an address that was just written may not have come back from the API server yet. Of several addresses,
    some may be those of others who go on.
    """
    if addresses is None or len(addresses) > 1:
        return ()
    return tuple(StatusPatch(ref.name, ()) for ref in published)


def _addresses_of(service: Service) -> Iterator[IngressLoadBalancerIngress]:
    """By the Service's type, as ingress-nginx does it."""
    spec = service.spec
    external = [_address(ip) for ip in spec.external_ips]
    match spec.type:
        case "ExternalName":
            yield IngressLoadBalancerIngress(hostname=spec.external_name)
        case "LoadBalancer":
            yield from service.status.load_balancer.ingress
            yield from external
        case "NodePort" if external:
            yield from external
        case _:
            if spec.cluster_ip not in ("", "None"):
                yield _address(spec.cluster_ip)


def _address(text: str) -> IngressLoadBalancerIngress:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return IngressLoadBalancerIngress(hostname=text)
    return IngressLoadBalancerIngress(ip=text)


def _ordered(addresses: Iterable[IngressLoadBalancerIngress]) -> Addresses:
    bare = {IngressLoadBalancerIngress(ip=one.ip, hostname=one.hostname) for one in addresses if one.ip or one.hostname}
    return tuple(sorted(bare, key=lambda one: (one.ip, one.hostname)))
