"""One pod: its folders, its containers in their order, its status, its end."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from remora.cluster.api.errors import ApiError
from remora.cluster.kubelet.actions import Target
from remora.cluster.kubelet.container import Container
from remora.cluster.kubelet.environment import Place, environment
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.kubelet.leftovers import end_leftovers
from remora.cluster.kubelet.podstatus import PodState, fresh_state, render_status
from remora.cluster.kubelet.podvolumes import PodVolumes
from remora.cluster.kubelet.resolving import dns_environment
from remora.cluster.kubelet.shared import COMPONENT, Shared
from remora.cluster.kubelet.states import parse_containers
from remora.cluster.objects import TERMINAL_PHASES, Object, is_terminating, key_of, now, parse_time, uid_of

_log = logging.getLogger(__name__)

_DEFAULT_GRACE = 30.0
_DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


class Pod:
    """Runs one pod's containers until it is deleted, then removes it. Satisfies `container.Surroundings`."""

    def __init__(self, pod: Object, *, shared: Shared, address: str) -> None:
        self.object = pod
        self.address = address
        self.directory = shared.directory / uid_of(pod)
        self.images: ImageCatalog = shared.images
        self.stopping = asyncio.Event()
        self._shared = shared
        self._key = key_of(pod)
        self._volumes = PodVolumes(self.directory, shared, address=address)
        self._dirty = asyncio.Event()
        self._is_leaving = False
        self._is_over = False
        self._started_at = _started_at(pod)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._init = [self._container(spec, is_init=True) for spec in pod["spec"].get("initContainers") or ()]
        self._containers = [self._container(spec) for spec in pod["spec"]["containers"]]
        self._ephemeral: list[Container] = []
        self._group: asyncio.TaskGroup | None = None
        self._failure: tuple[str, str] | None = None
        if is_terminating(pod):
            self._begin_to_stop()

    @property
    def uid(self) -> str:
        return uid_of(self.object)

    @property
    def full_name(self) -> str:
        """As the kubelet names pods in messages."""
        return f"{self._key.name}_{self._key.namespace}({self.uid})"

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL: what the deletion says, else the pod."""
        given = self.object["metadata"].get("deletionGracePeriodSeconds")
        if given is None:
            given = self.object["spec"].get("terminationGracePeriodSeconds")
        return _DEFAULT_GRACE if given is None else float(given)

    @property
    def restart_policy(self) -> str:
        return self.object["spec"].get("restartPolicy") or "Always"

    def update(self, pod: Object) -> None:
        """Takes the newest state of the object; a deletion begins to stop the pod, a shorter grace period hurries it."""
        hurry = self.stopping.is_set() and self.grace
        before, self.object = self.object, pod
        self._volumes.pod_changed(before, pod)
        self._begin_ephemeral()
        if pod["spec"].get("readinessGates"):
            self.changed()
        if is_terminating(pod):
            self._begin_to_stop()
            if hurry and self.grace < hurry:
                asyncio.get_running_loop().call_later(self.grace, self._kill)

    def removed(self) -> None:
        """The object is gone already (`kubectl delete --force`): no time is left."""
        self._is_leaving = True
        self._begin_to_stop()
        self._kill()

    def leave(self) -> None:
        """The cluster is going down: the processes are stopped as at a deletion, the object stays as it is."""
        self._is_leaving = True
        self._begin_to_stop()

    def source_changed(self, resource: str, name: str) -> None:
        """A ConfigMap or Secret of its namespace is another one now."""
        self._volumes.source_changed(self.object, resource, name)

    def let_go(self) -> None:
        """Forgets the processes without ending them."""
        for container in self._everything:
            container.let_go()

    def find_container(self, name: str) -> Container | None:
        return next((container for container in self._everything if container.state.name == name), None)

    async def run(self) -> None:
        """Returns when all processes have ended and, unless the cluster goes down, the object is gone."""
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(self._publish_changes())
            group.create_task(self._stop_when_told())
            self._group = group
            self._begin_ephemeral()
            await self._run_containers()
            self._is_over = True
            self.changed()
            await self.stopping.wait()
            self._group = None
            publishing.cancel()
        await end_leftovers([self.uid], grace=min(self.grace, 2.0))
        if not self._is_leaving:
            await self._write_status()
            await self._delete()
        for container in self._everything:
            container.capture.close()

    def changed(self) -> None:
        self._dirty.set()

    def tell(self, container: str, reason: str, message: str, *, type: str = "Normal") -> None:
        """Records an Event about a container, or about the pod if `container` is ""."""
        kinds = (("initContainers", self._init), ("ephemeralContainers", self._ephemeral))
        kind = next((kind for kind, listed in kinds if any(found.state.name == container for found in listed)), "containers")
        path = f"spec.{kind}{{{container}}}" if container else ""
        host = self._shared.node_name
        self._shared.events.record(self.object, COMPONENT, reason, message, type=type, field_path=path, host=host)

    def environment(self, spec: Mapping[str, Any], image: Image, termination_log: Path) -> dict[str, str]:
        """The environment of a new process.

        Raises:
            ConfigError: something it needs does not exist.
        """

        def values(place: Place) -> dict[str, str]:
            env = environment(self.object, spec, image, place=place, sources=sources, inherited=self._shared.inherited)
            return {**env, **dns}

        dns = dns_environment(self._shared.dns, self.object, self.directory)
        sources = self._shared.sources(self._key.namespace)
        place = self._volumes.mounts(spec, values)
        return values(msgspec.structs.replace(place, termination_log=str(termination_log)))

    def target(self, spec: Mapping[str, Any], env: Mapping[str, str], workdir: Path) -> Target:
        return Target(spec, self.address, env, workdir, self._shared.session)

    @property
    def _everything(self) -> Sequence[Container]:
        return (*self._init, *self._containers, *self._ephemeral)

    def _begin_ephemeral(self) -> None:
        """Starts the containers that were added to the running pod (`kubectl debug`)."""
        if self._group is None or self._is_over or self.stopping.is_set():
            return
        known = {container.state.name for container in self._ephemeral}
        for spec in self.object["spec"].get("ephemeralContainers") or ():
            if spec["name"] not in known:
                container = self._container({**spec, "restartPolicy": "Never"}, kind="ephemeralContainers")
                self._ephemeral.append(container)
                self._group.create_task(container.run())

    def _container(self, spec: Mapping[str, Any], *, is_init: bool = False, kind: str = "") -> Container:
        kind = kind or ("initContainers" if is_init else "containers")
        before = parse_containers(self.object.get("status") or {}, kind=kind)
        has_init = bool(self.object["spec"].get("initContainers")) and kind != "ephemeralContainers"
        fresh = fresh_state(spec["name"], spec.get("image") or "", has_init=has_init)
        return Container(spec, pod=self, state=before.get(spec["name"], fresh), is_init=is_init)

    async def _run_containers(self) -> None:
        if (self.object.get("status") or {}).get("phase") in TERMINAL_PHASES:
            return
        if not await self._volumes.make(lambda: self.object, self.stopping, failed=self._mount_failed):
            return
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._volumes.keep_up(lambda: self.object))]
            if (seconds := self.object["spec"].get("activeDeadlineSeconds")) is not None:
                beside.append(group.create_task(self._fail_at_deadline(float(seconds))))
            async with asyncio.TaskGroup() as sidecars:
                if await self._initialize(sidecars):
                    async with asyncio.TaskGroup() as running:
                        for container in self._containers:
                            running.create_task(container.run())
                            # The next one begins when this one's postStart hook is done.
                            await self._until(container.was_tried)
                await self._end_sidecars(asyncio.get_running_loop().time() + self.grace)
            for task in beside:
                task.cancel()

    async def _end_sidecars(self, deadline: float) -> None:
        """What runs beside the containers ends after them, the last that was started first."""
        for container in reversed(self._init):
            if container.is_sidecar:
                await container.stop(max(0.0, deadline - asyncio.get_running_loop().time()))

    async def _fail_at_deadline(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds - (now() - self._started_at).total_seconds()))
        self._failure = _DEADLINE
        self.tell("", *_DEADLINE)
        deadline = asyncio.get_running_loop().time() + self.grace
        async with asyncio.TaskGroup() as group:
            for container in (*self._init, *self._containers):
                if not container.is_sidecar:
                    group.create_task(container.stop(self.grace))
        await self._end_sidecars(deadline)

    def _mount_failed(self, why: str) -> None:
        self.tell("", "FailedMount", why, type="Warning")
        self.changed()

    async def _initialize(self, group: asyncio.TaskGroup) -> bool:
        """Runs the init containers one after the other; False if one failed for good or the pod stops."""
        for container in self._init:
            if container.is_sidecar:
                group.create_task(container.run())
                await self._until(container.has_started)
                if container.is_to_end.is_set():
                    return False
            elif not container.state.has_succeeded:
                await container.run()
                if not container.state.has_succeeded:
                    return False
            if self.stopping.is_set():
                return False
        return True

    async def _until(self, event: asyncio.Event) -> None:
        """Waits for the event, but no longer than until the pod stops."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _stop_when_told(self) -> None:
        """SIGTERM goes to all containers at once; sidecars among the init containers live as long as the others."""
        await self.stopping.wait()
        deadline = asyncio.get_running_loop().time() + self.grace
        async with asyncio.TaskGroup() as group:
            for container in self._everything:
                if not container.is_sidecar:
                    group.create_task(container.stop(self.grace))
        await self._end_sidecars(deadline)

    def _begin_to_stop(self) -> None:
        """From here on no container is started again."""
        self.stopping.set()
        for container in self._everything:
            container.is_to_end.set()

    def _kill(self) -> None:
        for container in self._everything:
            container.kill()

    async def _publish_changes(self) -> None:
        self._dirty.set()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not self._is_leaving:
                await self._write_status()

    async def _write_status(self) -> None:
        current = self._shared.registry.find("pods", self._key.namespace, self._key.name)
        if current is None or uid_of(current) != self.uid:
            return
        status = render_status(current, self._state(), now=now())
        if status == current.get("status"):
            return
        metadata = {name: value for name, value in current["metadata"].items() if name != "resourceVersion"}
        try:
            await self._shared.registry.update(
                "pods", {**current, "metadata": metadata, "status": status}, subresource="status"
            )
        except ApiError as error:
            _log.warning("the status of pod %s was refused: %s", self._key, error)

    def _state(self) -> PodState:
        return PodState(
            pod_ip=self.address,
            host_ip=self._shared.node_ip,
            started_at=self._started_at,
            init=tuple(container.state for container in self._init),
            sidecars=frozenset(container.state.name for container in self._init if container.is_sidecar),
            containers=tuple(container.state for container in self._containers),
            ephemeral=tuple(container.state for container in self._ephemeral),
            is_over=self._is_over,
            failure=self._failure,
        )

    async def _delete(self) -> None:
        try:
            await self._shared.registry.delete(
                "pods", self._key.namespace, self._key.name, grace_period_seconds=0, uid=self.uid
            )
        except ApiError as error:
            if error.reason not in ("NotFound", "Conflict"):
                _log.warning("pod %s could not be removed: %s", self._key, error)


def _started_at(pod: Mapping[str, Any]) -> Any:
    text = (pod.get("status") or {}).get("startTime")
    return parse_time(text) if text else now()
