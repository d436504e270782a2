"""The node's agent: gives pods to the node, an address and a supervisor to each, and serves their logs."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import aiohttp

from remora.cluster.addresses import NODE_NAME, Network, is_assignable, next_address
from remora.cluster.api.errors import bad_request, internal_error
from remora.cluster.api.node import Console, Usage
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.loop import follow
from remora.cluster.events import Events
from remora.cluster.kubelet import node
from remora.cluster.kubelet.container import Container
from remora.cluster.kubelet.images import ImageCatalog
from remora.cluster.kubelet.leftovers import end_leftovers
from remora.cluster.kubelet.logs import read_log
from remora.cluster.kubelet.pod import Pod
from remora.cluster.kubelet.processes import StartFailed
from remora.cluster.kubelet.resolving import PodDns, can_mount
from remora.cluster.kubelet.scheduler import Scheduler
from remora.cluster.kubelet.shared import Shared, Tokens
from remora.cluster.kubelet.states import Waiting
from remora.cluster.kubelet.taints import Taints
from remora.cluster.kubelet.usage import Meter
from remora.cluster.kubelet.volumefiles import remove_directory
from remora.cluster.objects import Object, is_terminating, key_of, uid_of

_log = logging.getLogger(__name__)

_BEGIN_AGAIN = 5.0
"""Seconds after which a pod is begun again whose supervision failed."""
_DOWN_GRACE = 10.0
"""Seconds that processes have when the whole cluster goes down; longer grace periods are cut."""


class Kubelet:
    """Runs all pods of the cluster.

    `directory` is where their folders are; `api_host` and `api_port` are where they find the API server, `ca_certificate`
    (PEM) is how they know it.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        network: Network,
        directory: Path,
        images: ImageCatalog,
        tokens: Tokens,
        api_host: str,
        api_port: int,
        ca_certificate: str,
        events: Events,
    ) -> None:
        self._registry = registry
        self._network = network
        self._directory = directory
        self._images = images
        self._tokens = tokens
        self._api = (api_host, api_port)
        self._ca_certificate = ca_certificate
        self._events = events
        self._pods: dict[str, Pod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._last_address = ""
        self._known_addresses: frozenset[str] = frozenset()
        self._shared: Shared | None = None
        self._is_leaving = False
        self._meter = Meter()
        self._dns = PodDns()

    async def use_dns(self, dns: PodDns) -> None:
        """Before `run`: where pods find the cluster's DNS."""
        self._dns = dns
        if dns.server:
            await asyncio.to_thread(can_mount)

    async def run(self) -> None:
        """Runs pods until it is cancelled; then the processes go on and the next `run` takes them up again."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = node.read_facts(self._directory)
        await node.write_node(self._registry, self._network, facts)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0)) as session:
            self._shared = self._share(session, facts)
            self._known_addresses = self._stored_addresses()
            await self._end_strays()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(node.keep_alive(self._registry, self._network, facts))
                    group.create_task(follow(self._registry, "pods", partial(self._changed, group), begins=self._drop_gone))
                    for resource in ("configmaps", "secrets"):
                        group.create_task(follow(self._registry, resource, partial(self._source_changed, resource)))
                    for part in (Scheduler, Taints):
                        group.create_task(part(registry=self._registry, events=self._events).run())
            finally:
                for pod in self._pods.values():
                    pod.let_go()

    async def stop_all(self) -> None:
        """Ends all pods' processes; the objects stay, so that the next start brings the pods back. For an orderly end.

        To be called while `run` still runs.
        """
        self._is_leaving = True
        for pod in self._pods.values():
            pod.leave()
        tasks = [task for task in self._tasks.values() if not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=_DOWN_GRACE)
        if self._directory.is_dir():
            await end_leftovers(self._known_uids(), grace=1.0)

    def find_pod(self, uid: str) -> Pod | None:
        """The supervisor of the pod with this uid."""
        return self._pods.get(uid)

    async def log(
        self,
        pod: Object,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail_lines: int | None,
        since_seconds: float | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """Satisfies `NodePort.log`."""
        found = self._find_container(pod, container)
        instance = found.state.restarts - (1 if previous else 0)
        if not found.capture.path(instance).exists() and not previous and found.state.last is not None:
            instance -= 1  # about to be started again: what there is to read is how it ended
        path = found.capture.path(instance)
        if not path.exists():
            raise bad_request(_why_no_log(found, pod, previous=previous))
        live = found.capture.log if follow and not previous else None
        async for part in read_log(
            path,
            live=live,
            tail_lines=tail_lines,
            since_seconds=since_seconds,
            timestamps=timestamps,
            limit_bytes=limit_bytes,
        ):
            yield part

    def check_running(self, pod: Object, container: str) -> None:
        """Satisfies `NodePort.check_running`."""
        self._find_running(pod, container)

    async def execute(self, pod: Object, container: str, command: Sequence[str], console: Console) -> int:
        """Satisfies `NodePort.execute`."""
        try:
            return await self._find_running(pod, container).execute(command, console)
        except StartFailed as error:
            raise internal_error(f"error executing command in container: {error}") from None

    async def attach(self, pod: Object, container: str, console: Console) -> None:
        """Satisfies `NodePort.attach`."""
        await self._find_running(pod, container).attach(console)

    async def read_usage(self) -> Usage:
        """Satisfies `NodePort.read_usage`."""
        return await self._meter.read()

    def _find_running(self, pod: Object, container: str) -> Container:
        running = self._pods.get(uid_of(pod))
        found = running.find_container(container) if running else None
        if found is None or not found.is_running:
            raise internal_error(f'unable to upgrade connection: container not found ("{container}")')
        return found

    def _find_container(self, pod: Object, container: str) -> Container:
        running = self._pods.get(uid_of(pod))
        found = running.find_container(container) if running else None
        if found is None:
            name = pod["metadata"]["name"]
            raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating')
        return found

    def _share(self, session: aiohttp.ClientSession, facts: Mapping[str, str]) -> Shared:
        host, port = self._api
        return Shared(
            registry=self._registry,
            events=self._events,
            images=self._images,
            tokens=self._tokens,
            session=session,
            directory=self._directory,
            node_ip=self._network.node,
            node_name=NODE_NAME,
            api_host=host,
            api_port=port,
            ca_certificate=self._ca_certificate,
            inherited=inherited_environment(os.environ),
            dns=self._dns,
            allocatable=node.allocatable(facts),
        )

    def _drop_gone(self) -> None:
        existing = {uid_of(pod) for pod in self._registry.list("pods")[0]}
        for uid, pod in self._pods.items():
            if uid not in existing:
                pod.removed()

    def _changed(self, group: asyncio.TaskGroup, event: WatchEvent) -> None:
        pod = event.object
        running = self._pods.get(uid_of(pod))
        if event.type == "DELETED":
            if running is not None:
                running.removed()
            return
        if running is not None:
            running.update(pod)
        elif self._is_to_begin(pod):
            self._begin(pod, group)

    def _source_changed(self, resource: str, event: WatchEvent) -> None:
        key = key_of(event.object)
        for pod in self._pods.values():
            if pod.object["metadata"]["namespace"] == key.namespace:
                pod.source_changed(resource, key.name)

    def _is_to_begin(self, pod: Object) -> bool:
        """Asks the registry, since the event may be older than the pod's end."""
        current = self._current(pod)
        if current is None or self._is_leaving:
            return False
        return current["spec"].get("nodeName") == NODE_NAME and not _has_ended(current)

    def _begin(self, pod: Object, group: asyncio.TaskGroup) -> None:
        if self._shared is None:
            return
        try:
            running = Pod(pod, shared=self._shared, address=self._address(pod))
        except Exception:
            # A full disk, no descriptors left: the other pods go on.
            _log.exception("pod %s cannot be begun", key_of(pod))
            group.create_task(self._begin_again(pod, group))
            return
        self._pods[uid_of(pod)] = running
        self._tasks[uid_of(pod)] = group.create_task(self._run_pod(running, group))

    async def _run_pod(self, pod: Pod, group: asyncio.TaskGroup) -> None:
        failed = False
        try:
            await pod.run()
        except Exception:
            # One pod's trouble must not end the others; its processes are ended so that nothing runs unattended.
            _log.exception("pod %s is begun again", key_of(pod.object))
            failed = True
            await end_leftovers([pod.uid], grace=1.0)
            pod.let_go()
        del self._tasks[pod.uid], self._pods[pod.uid]
        if self._is_leaving:
            return
        if failed and self._current(pod.object) is not None:
            group.create_task(self._begin_again(pod.object, group))
            return
        self._shared_forget(pod.uid)
        await asyncio.to_thread(remove_directory, pod.directory)

    async def _begin_again(self, pod: Object, group: asyncio.TaskGroup) -> None:
        """Else nobody would ever do what a deletion asks for."""
        await asyncio.sleep(_BEGIN_AGAIN)
        current = self._current(pod)
        if current is not None and uid_of(pod) not in self._pods and self._is_to_begin(pod):
            self._begin(current, group)

    def _current(self, pod: Object) -> Object | None:
        """The object as it is stored now, unless it is gone or another pod has its name."""
        current = self._registry.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        return current if current is not None and uid_of(current) == uid_of(pod) else None

    def _shared_forget(self, uid: str) -> None:
        if self._shared is not None:
            self._shared.forget(uid)

    def _address(self, pod: Object) -> str:
        """The address from before, the node's for `hostNetwork`, or one that no other pod has."""
        if pod["spec"].get("hostNetwork"):
            return self._network.node
        if before := (pod.get("status") or {}).get("podIP"):
            return str(before)
        taken = {pod.address for pod in self._pods.values()} | self._known_addresses
        after = self._last_address or str(max((IPv4Address(found) for found in taken), default=""))
        address = next_address(self._network.pods, after=after, taken=taken)
        if address is None:
            raise RuntimeError("there is no free pod address")  # 32,000 pods on one machine
        self._last_address = address
        return address

    def _stored_addresses(self) -> frozenset[str]:
        """Addresses of the pods from before, which keep them although their supervisors begin one after the other."""
        found = ((pod.get("status") or {}).get("podIP") for pod in self._registry.list("pods")[0])
        return frozenset(address for address in found if address and is_assignable(self._network.pods, address))

    async def _end_strays(self) -> None:
        """Ends processes of pods that were removed while no cluster process ran, and removes their folders."""
        existing = {uid_of(pod) for pod in self._registry.list("pods")[0] if not _has_ended(pod)}
        strays = [uid for uid in self._known_uids() if uid not in existing]
        if strays:
            await end_leftovers(strays, grace=1.0)
            for uid in strays:
                remove_directory(self._directory / uid)

    def _known_uids(self) -> list[str]:
        return [entry.name for entry in self._directory.iterdir() if entry.is_dir()]


def inherited_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The cluster process's environment, with the folder of its own Python's programs at the end of PATH.

    So commands that were installed beside Remora are found although its virtual environment was not activated.
    """
    own = str(Path(sys.executable).parent)
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    return {**environ, "PATH": os.pathsep.join(folders if own in folders else [*folders, own])}


def _has_ended(pod: Object) -> bool:
    """Whether only somebody's finalizer keeps the object."""
    return is_terminating(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")


def _why_no_log(container: Container, pod: Object, *, previous: bool) -> str:
    name, where = container.state.name, pod["metadata"]["name"]
    if previous:
        return f'previous terminated container "{name}" in pod "{where}" not found'
    state = container.state.state
    if isinstance(state, Waiting):
        is_image = state.reason in ("ErrImagePull", "ImagePullBackOff")
        why = "trying and failing to pull image" if is_image else state.reason
        return f'container "{name}" in pod "{where}" is waiting to start: {why}'
    return f'container "{name}" in pod "{where}" has no log'
