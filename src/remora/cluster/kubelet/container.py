"""One container of a pod, from the search for its image to its last exit."""

import asyncio
import contextlib
import hashlib
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

from remora.cluster.api.node import Console
from remora.cluster.kubelet.actions import Target, ask
from remora.cluster.kubelet.attachment import StandardStreams
from remora.cluster.kubelet.backoff import is_to_restart, render_duration, restart_pause
from remora.cluster.kubelet.environment import ConfigError, command
from remora.cluster.kubelet.execution import execute
from remora.cluster.kubelet.health import Outcomes, watch_health
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.kubelet.imagewait import ImageWait
from remora.cluster.kubelet.logs import Capture
from remora.cluster.kubelet.memory import kill_tree, wait_until_over
from remora.cluster.kubelet.placing import placed_folder
from remora.cluster.kubelet.processes import Process, StartFailed, adopt, start
from remora.cluster.kubelet.quantities import quantity
from remora.cluster.kubelet.records import Record, find_record, write_record
from remora.cluster.kubelet.resolving import in_image
from remora.cluster.kubelet.states import ContainerState, Running, Terminated, Waiting, lost
from remora.cluster.kubelet.terminals import controlled, with_terminal
from remora.cluster.kubelet.termination import find_signal, read_message
from remora.cluster.objects import now, parse_time

_CONFIG_RETRY = 1.0
_LEAST_GRACE = 2.0
"""Seconds that a process has after a preStop hook that used up the grace period (as in the kubelet)."""


class Surroundings(Protocol):
    """What a container needs of its pod."""

    address: str
    directory: Path
    images: ImageCatalog

    @property
    def uid(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def grace(self) -> float: ...
    @property
    def restart_policy(self) -> str: ...
    def changed(self) -> None: ...
    def tell(self, container: str, reason: str, message: str, *, type: str = "Normal") -> None: ...
    def environment(self, spec: Mapping[str, Any], image: Image, termination_log: Path) -> dict[str, str]: ...
    def target(self, spec: Mapping[str, Any], env: Mapping[str, str], workdir: Path) -> Target: ...


class Container:
    """Runs one container of a pod; `state` is what its status says."""

    def __init__(self, spec: Mapping[str, Any], *, pod: Surroundings, state: ContainerState, is_init: bool = False) -> None:
        self.spec = spec
        self.state = state
        self.is_sidecar = is_init and spec.get("restartPolicy") == "Always"
        self.has_started = asyncio.Event()
        """Set once its startup probe, if any, succeeded."""
        self.was_tried = asyncio.Event()
        """Set when it runs, after its postStart hook, or cannot run yet."""
        self.is_to_end = asyncio.Event()
        """Set when it is not to be started again."""
        self._is_init = is_init
        self._pod = pod
        self._directory = pod.directory / "containers" / state.name
        self.capture = Capture(self._directory)
        self._streams = StandardStreams(self._directory, spec, self.capture)
        self._images = ImageWait(
            pod.images,
            tell=lambda reason, message, type: pod.tell(state.name, reason, message, type=type),
            waiting=lambda waiting: self._set(state=waiting),
            is_to_end=self.is_to_end,
        )
        self._target: Target | None = None
        self._pause: float | None = None
        self._is_told_to_stop = False
        self._is_out_of_memory = False
        self._has_begun = False
        self._started_at = now()
        self._stop_signal = signal.SIGTERM
        self._process = self._adopt()
        if self._process is None:
            self.state = lost(self.state, now=now())

    async def run(self) -> None:
        """Returns when the container has ended and is not to be started again."""
        try:
            if self._process is not None or self._resume():
                await self._run()
        finally:
            self.was_tried.set()

    async def _run(self) -> None:
        while self._process is not None or not self.is_to_end.is_set():
            if self._process is None:
                self._process = await self._start()
            if self._process is not None:
                await self._supervise(self._process)
            if not isinstance(self.state.state, Terminated) or not self._is_to_restart(self.state.state):
                return
            await self._back_off(self.state.state)
            if not self.is_to_end.is_set():
                self._set(restarts=self.state.restarts + 1)

    def _resume(self) -> bool:
        """Whether a container that an earlier cluster process left without a process is to be started now."""
        before = self.state
        if isinstance(before.state, Terminated):
            if not self._is_to_restart(before.state):
                return False
            self._set(last=before.state, restarts=before.restarts + 1)
        elif before.last is not None:
            self._set(restarts=before.restarts + 1)
        return True

    async def stop(self, grace: float) -> None:
        """Ends the process for good: preStop hook, its stop signal, SIGKILL to its group when `grace` seconds are over."""
        self.is_to_end.set()
        process = self._process
        if process is not None and process.is_running:
            await self._terminate(process, grace, f"Stopping container {self.state.name}")

    async def _terminate(self, process: Process, grace: float, why: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        if not self._is_told_to_stop:
            self._is_told_to_stop = True
            self._pod.tell(self.state.name, "Killing", why)
            if grace > 0:
                await self._run_pre_stop(grace)
                deadline = max(deadline, loop.time() + min(grace, _LEAST_GRACE))
        process.send(self._stop_signal)
        await self._end(process, deadline)

    def let_go(self) -> None:
        """Forgets the process without ending it."""
        if self._process is not None:
            self._process.let_go()
        self.capture.let_go()
        self._streams.end()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.is_running

    async def execute(self, command: Sequence[str], console: Console) -> int:
        """Runs a command beside the process, in the same environment and folder; it ends when the process does.

        Raises:
            StartFailed: there is no such program, or the container does not run.
        """
        process, target = self._process, self._target
        if process is None or target is None:
            raise StartFailed("container is not running")
        words = in_image(command, target.env)
        return await execute(words, env=target.env, workdir=target.workdir, console=console, container=process.wait)

    async def attach(self, console: Console) -> None:
        await self._streams.attach(console)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill_group()

    async def _end(self, process: Process, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await process.wait()
        except TimeoutError:
            process.kill_group()
            await process.wait()

    def _adopt(self) -> Process | None:
        """The process that a former cluster process started, if it still runs."""
        record = find_record(self._record)
        process = adopt(record.identity) if record else None
        if record is None or process is None:
            return None
        self.capture.begin(record.instance)
        self._streams.adopt()
        self._target = self._pod.target(self.spec, record.env, Path(record.workdir))
        running = Running(parse_time(record.started_at))
        self._started_at = running.started_at
        self._stop_signal = find_signal(record.stop_signal)
        # A process that was not said to run yet has not seen its postStart hook to the end.
        self._has_begun = isinstance(self.state.state, Running)
        self._set(state=running, container_id=record.container_id, restarts=record.instance)
        return process

    async def _start(self) -> Process | None:
        """A new process, or None: then the state says why, or the pod is stopping."""
        image = await self._images.find(self.spec.get("image") or "", self.spec.get("imagePullPolicy") or "")
        env = await self._environment(image) if image else None
        if image is None or env is None:
            return None
        instance = self.state.restarts
        workdir = Path(placed_folder(self.spec.get("workingDir") or image.workdir, image) or self._pod.directory)
        container_id = _container_id(self._pod.uid, self.state.name, instance)
        self.capture.begin(instance)
        self._pod.tell(self.state.name, "Created", "Container created")
        self._termination_log.write_bytes(b"")
        try:
            process = self._spawn(command(self.spec, image, env), env, workdir)
        except StartFailed as error:
            self._pod.tell(self.state.name, "Failed", f"Error: {error}", type="Warning")
            self._ended(Terminated(128, "StartError", now(), now(), str(error), container_id))
            return None
        self._target = self._pod.target(self.spec, env, workdir)
        self._started_at = now()
        self._stop_signal = find_signal((self.spec.get("lifecycle") or {}).get("stopSignal") or image.stop_signal)
        self._has_begun = False
        begun = self._started_at.isoformat()
        record = Record(process.identity, instance, begun, container_id, env, str(workdir), self._stop_signal.name)
        write_record(self._record, record)
        self._set(container_id=container_id)
        self._pod.tell(self.state.name, "Started", "Container started")
        if not self._has_hook("postStart"):
            self._set(state=Running(self._started_at))
        return process

    def _spawn(self, argv: list[str], env: Mapping[str, str], workdir: Path) -> Process:
        if not argv:
            raise StartFailed("no command specified")
        with self._streams.open_for_child() as (stdin, stdout, stderr):
            if self._streams.is_terminal:
                env = with_terminal(env)
                argv = controlled(argv, env=env, workdir=workdir)
            return start(argv, env=env, workdir=workdir, stdin=stdin, stdout=stdout, stderr=stderr)

    async def _environment(self, image: Image) -> dict[str, str] | None:
        while not self.is_to_end.is_set():
            try:
                return self._pod.environment(self.spec, image, self._termination_log)
            except ConfigError as error:
                self._pod.tell(self.state.name, "Failed", f"Error: {error}", type="Warning")
                self._set(state=Waiting("CreateContainerConfigError", str(error)))
                await self._sleep(_CONFIG_RETRY)
        return None

    async def _supervise(self, process: Process) -> None:
        self._is_told_to_stop = self._is_out_of_memory = False
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._watch_health(process)), group.create_task(self._watch_memory(process))]
            code = await process.wait()
            for task in beside:
                task.cancel()
        self._process = None
        self._record.unlink(missing_ok=True)
        if code is None:
            message = "It ended when it was no longer a child of the cluster process, so its exit code is not known."
            ended = Terminated(137, "ContainerStatusUnknown", now(), self._started_at, message, self.state.container_id)
        else:
            exit_code = code if code >= 0 else 128 - code
            reason = "OOMKilled" if self._is_out_of_memory else "Error" if exit_code else "Completed"
            ended = Terminated(exit_code, reason, now(), self._started_at, "", self.state.container_id)
        self._ended(ended)

    def _ended(self, ended: Terminated) -> None:
        self.capture.end()
        self._streams.end()
        log = self.capture.path(self.state.restarts)
        if message := read_message(self._termination_log, log, self.spec, exit_code=ended.exit_code):
            ended = msgspec.structs.replace(ended, message=message)
        ran_for = ended.finished_at - (ended.started_at or ended.finished_at)
        self._pause = restart_pause(self._pause, ran_for=ran_for)
        is_done = self._is_init and not self.is_sidecar and ended.exit_code == 0
        self._set(state=ended, ready=is_done, started=False)

    async def _watch_health(self, process: Process) -> None:
        target = self._target
        if target is None:
            return
        if not self._has_begun and self._has_hook("postStart") and not await self._run_post_start(process):
            return
        self._has_begun = True
        self._set(state=Running(self._started_at))
        if self._is_init and not self.is_sidecar:
            self._has_started()
            return
        outcomes = Outcomes(
            started=self._has_started,
            ready=lambda is_ready: self._set(ready=is_ready),
            unhealthy=self._tell_unhealthy,
            kill=partial(self._kill_unhealthy, process),
        )
        await watch_health(target, outcomes, is_init=self._is_init)

    async def _watch_memory(self, process: Process) -> None:
        limit = ((self.spec.get("resources") or {}).get("limits") or {}).get("memory")
        if limit:
            await wait_until_over(process.identity.pid, limit=int(quantity(limit)))
            self._is_out_of_memory = True
            kill_tree(process.identity.pid)
            process.kill_group()

    def _has_started(self) -> None:
        self._set(started=True)
        self.has_started.set()

    def _tell_unhealthy(self, kind: str, message: str) -> None:
        if not self.is_to_end.is_set():
            self._pod.tell(self.state.name, "Unhealthy", f"{kind} probe failed: {message}", type="Warning")

    async def _kill_unhealthy(self, process: Process, message: str, grace: float | None) -> None:
        if self.is_to_end.is_set():
            return
        self._set(ready=False)
        await self._terminate(process, self._pod.grace if grace is None else float(grace), message)

    def _is_to_restart(self, ended: Terminated) -> bool:
        if self.is_to_end.is_set():
            return False
        return is_to_restart(self.spec, self._pod.restart_policy, is_init=self._is_init, exit_code=ended.exit_code)

    async def _back_off(self, ended: Terminated) -> None:
        """Shows how it ended, then waits as long as CrashLoopBackOff demands."""
        pause = self._pause or 0.0
        self._set(last=ended)
        if pause <= 0:
            return
        name = self.state.name
        pod = self._pod.full_name
        self._pod.tell(name, "BackOff", f"Back-off restarting failed container {name} in pod {pod}", type="Warning")
        message = f"back-off {render_duration(pause)} restarting failed container={name} pod={pod}"
        self._set(state=Waiting("CrashLoopBackOff", message))
        await self._sleep(pause)

    def _has_hook(self, name: str) -> bool:
        return bool((self.spec.get("lifecycle") or {}).get(name))

    async def _run_post_start(self, process: Process) -> bool:
        """Whether it succeeded; if not, the process has ended. It has all the time that it wants."""
        if self._target is None or (await ask(self.spec["lifecycle"]["postStart"], self._target, timeout=None)).is_success:
            return True
        # What it printed may be secret, so it is not told, as in the kubelet.
        self._pod.tell(self.state.name, "FailedPostStartHook", "PostStartHook failed", type="Warning")
        await self._terminate(process, self._pod.grace, "FailedPostStartHook")
        return False

    async def _run_pre_stop(self, grace: float) -> None:
        if not self._has_hook("preStop") or self._target is None:
            return
        try:
            async with asyncio.timeout(grace):
                verdict = await ask(self.spec["lifecycle"]["preStop"], self._target, timeout=grace)
        except TimeoutError:
            return
        if not verdict.is_success:
            self._pod.tell(self.state.name, "FailedPreStopHook", "PreStopHook failed", type="Warning")

    async def _sleep(self, seconds: float) -> None:
        """Returns early when the pod stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.is_to_end.wait()

    @property
    def _termination_log(self) -> Path:
        return self._directory / "termination-log"

    @property
    def _record(self) -> Path:
        return self._directory / "process.json"

    def _set(self, **changes: Any) -> None:
        after = msgspec.structs.replace(self.state, **changes)
        if "state" in changes:
            self.was_tried.set()
        if after != self.state:
            self.state = after
            self._pod.changed()


def _container_id(uid: str, name: str, instance: int) -> str:
    return f"remora://{hashlib.sha256(f'{uid}/{name}/{instance}'.encode()).hexdigest()}"
