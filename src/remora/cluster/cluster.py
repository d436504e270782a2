"""The local cluster's composition root: builds the parts, owns their task groups, starts and ends them in order.

Order matters twice. At the start the API server listens before anything runs that wants to talk to it. At the end pods stop
first, while everything that they may still need serves on; the store closes last.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from typing import Any

import msgspec

from remora.apply.binary import find_binary
from remora.cluster.addresses import Network
from remora.cluster.api.authorization.authorizer import AuthorizationMode
from remora.cluster.api.caller import unreviewed
from remora.cluster.api.pki import Pki, read_pki, write_kubeconfig
from remora.cluster.api.registry import Registry
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.bootstrap import CONTROLLER_NAMESPACE, bootstrap, controller_obstacle, keep_kubernetes_service
from remora.cluster.builtin import add_builtin_images
from remora.cluster.controllers.controllers import Controllers
from remora.cluster.dns.answer import Zone
from remora.cluster.dns.forward import Forwarder
from remora.cluster.dns.server import DnsServer, Place
from remora.cluster.entry import LOCALHOST
from remora.cluster.events import Events
from remora.cluster.kubelet.images import ImageCatalog
from remora.cluster.kubelet.kubelet import Kubelet
from remora.cluster.kubelet.resolving import PodDns
from remora.cluster.lock import lock_identity
from remora.cluster.reach import find_fault
from remora.cluster.services.allocation import ServiceAllocator
from remora.cluster.services.proxy import ServiceProxy
from remora.cluster.services.report import Report
from remora.cluster.start import Start
from remora.cluster.store import Store

_log = logging.getLogger(__name__)

_POLL = 0.05
_LOOK_AT_FOLDER = 1.0
DNS_PORT = 10053
"""Of the cluster's DNS on the node's address, for whoever may not have port 53."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What runs beside the API server and its controllers: all of it, unless tests want less."""

    node: bool = True
    """The scheduler and the kubelet: without them pods stay Pending."""
    services: bool = True
    """The proxy behind the addresses of Services."""
    ingress: bool = True
    """The Ingress controller, which needs both."""


class Cluster:
    """One cluster in this process. The profile's lock is the caller's business (`start.starting`)."""

    def __init__(
        self,
        start: Start,
        *,
        authorization_mode: AuthorizationMode = "AlwaysAllow",
        parts: Parts | None = None,
        forwards_dns: bool = True,
    ) -> None:
        self._start = start
        self._forwards_dns = forwards_dns
        self._parts = parts or Parts()
        self._authorization_mode = authorization_mode
        self._profile = start.profile
        self._network = Network(start.profile.index)
        self._registry: Registry | None = None

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://{LOCALHOST}:{self._profile.choices.api_port}"

    async def run(self, stop: asyncio.Event, started: Callable[["Cluster"], Coroutine[Any, Any, None]]) -> None:
        """Runs until `stop` is set, or the profile's folder is removed, which sets it too.

        It calls `started` once the API server answers, which may take its time.

        Raises:
            RemoraError: a part cannot start.
        """
        pki = read_pki(self._profile.pki, [self._network.kubernetes_service, self._network.node])
        with closing(Store(self._profile.store)) as store:
            self._registry = registry = self._open_registry(store)
            events = Events(registry=registry)
            kubelet = self._kubelet(registry, events, pki)
            server = self._api_server(registry, pki, kubelet)
            services = [self._service_proxy(registry, events)] if self._parts.services else []
            tokens = Tokens(pki.token_key)
            controllers = Controllers(
                registry=registry,
                events=events,
                ca_certificate=pki.ca.decode(),
                tokens=tokens,
                volumes=self._profile.volumes,
            )
            async with asyncio.TaskGroup() as group:
                parts = [group.create_task(server.run())]
                with unreviewed():
                    parts.append(group.create_task(events.run()))
                await server.listening.wait()
                await bootstrap(
                    registry,
                    network=self._network,
                    entry=self._start.entry,
                    api_port=self._profile.choices.api_port,
                    may_bind_low_ports=self._start.may_bind_low_ports,
                    ingress=self._parts.ingress,
                )
                parts.append(group.create_task(controllers.run()))
                if self._parts.node:
                    dns = self._dns_server(registry)
                    parts.append(group.create_task(dns.run()))
                    await dns.listening.wait()
                    await kubelet.use_dns(pod_dns(dns.serving, self._network))
                with unreviewed():
                    # What pods and Services are told to be must not hang on a webhook that is one of them.
                    parts += [group.create_task(proxy.run()) for proxy in services]
                    parts += [group.create_task(kubelet.run())] if self._parts.node else []
                keep = keep_kubernetes_service(registry, network=self._network, api_port=self._profile.choices.api_port)
                parts.append(group.create_task(keep))
                parts.append(group.create_task(self._stop_without_folder(stop)))
                write_kubeconfig(self._profile.kubeconfig, server=self.server, name=self._context, pki=pki)
                parts.append(group.create_task(started(self)))
                await stop.wait()
                with unreviewed():
                    await kubelet.stop_all()
                for part in parts:
                    part.cancel()

    async def _stop_without_folder(self, stop: asyncio.Event) -> None:
        """Without its folder no command finds the cluster to end it, and its processes would go on for ever."""
        held = lock_identity(self._profile)
        while lock_identity(self._profile) == held:
            await asyncio.sleep(_LOOK_AT_FOLDER)
        _log.warning("the folder %s of profile %s was removed: the cluster ends", self._profile.directory, self._profile.name)
        stop.set()

    async def wait_controller(self, timeout: float) -> str:
        """Waits for the Ingress controller; why it is not ready after `timeout` seconds, "" if it is."""
        why = "the cluster does not run"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._registry is not None and loop.time() < deadline:
            why = controller_obstacle(self._registry.list("pods", CONTROLLER_NAMESPACE)[0])
            # What the store says of a pod may date from the last run.
            why = why or await asyncio.to_thread(find_fault, self._start.entry)
            if not why:
                return ""
            await asyncio.sleep(_POLL)
        return why

    @property
    def _context(self) -> str:
        return "remora" if self._profile.is_default else f"remora-{self._profile.name}"

    def _open_registry(self, store: Store) -> Registry:
        """The registry, giving addresses to Services as it admits them."""
        registry = Registry(store=store)
        allocator = ServiceAllocator(
            network=self._network,
            services=registry.list("services")[0],
            find=lambda key: registry.find("services", key.namespace, key.name),
        )
        registry.add_admission("services", allocator.admit)
        return registry

    def _service_proxy(self, registry: Registry, events: Events) -> ServiceProxy:
        return ServiceProxy(
            registry=registry,
            report=Report(registry=registry, events=events),
            node_addresses=(self._network.node, LOCALHOST),
            directory=self._profile.services,
            binary=find_binary(None),
        )

    def _dns_server(self, registry: Registry) -> DnsServer:
        """At the address of the Service `kube-dns`, where port 53 is to be had, and on the node."""
        service, node = Place(self._network.dns_service, 53), Place(self._network.node, DNS_PORT)
        forwarder = Forwarder(own={service.address, node.address}) if self._forwards_dns else None
        zone = Zone(address=service.address)
        return DnsServer(registry=registry, zone=zone, places=(service, node), forwarder=forwarder)

    def _kubelet(self, registry: Registry, events: Events, pki: Pki) -> Kubelet:
        images = ImageCatalog(self._profile.images, option=self._profile.option)
        add_builtin_images(images)
        return Kubelet(
            registry=registry,
            network=self._network,
            directory=self._profile.pods,
            images=images,
            tokens=Tokens(pki.token_key),
            api_host=LOCALHOST,
            api_port=self._profile.choices.api_port,
            ca_certificate=pki.ca.decode(),
            events=events,
        )

    def _api_server(self, registry: Registry, pki: Pki, kubelet: Kubelet) -> ApiServer:
        return ApiServer(
            registry=registry,
            pki=pki,
            tokens=Tokens(pki.token_key),
            node=kubelet,
            authorization_mode=self._authorization_mode,
            host=LOCALHOST,
            port=self._profile.choices.api_port,
        )


def pod_dns(serving: Sequence[Place], network: Network) -> PodDns:
    """What pods are told of the DNS, given where it could listen."""
    has_service = any(place.address == network.dns_service for place in serving)
    place = next((str(place) for place in reversed(serving)), "")
    return PodDns(place=place, server=network.dns_service if has_service else "")
