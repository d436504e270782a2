"""What a pod's own page says of its containers. Pure."""

from collections.abc import Iterator

import msgspec

from remora.core.names import NamespacedName
from remora.dashboard.pod_state import Tone, container_state
from remora.dashboard.workload_objects import Container, ContainerStatus, Pod, Probe, State, Terminated


class ContainerRow(msgspec.Struct, frozen=True):
    """`why` explains the state; `last` is how it ended before, "" if it never did; `since` is when it began or ended."""

    pod: NamespacedName
    name: str
    role: str
    image: str
    state: str
    tone: Tone
    ready: bool
    restarts: int
    since: str
    since_word: str
    why: str
    last: str
    last_end: str
    ports: str
    probes: tuple[tuple[str, str], ...]


def container_rows(pod: Pod) -> tuple[ContainerRow, ...]:
    """The containers, and before them those that prepare the pod, in their order."""
    inits = {status.name: status for status in pod.status.init_container_statuses}
    mains = {status.name: status for status in pod.status.container_statuses}
    first = (
        _row(pod, one, inits.get(one.name), "sidecar" if one.restart_policy == "Always" else "init container")
        for one in pod.spec.init_containers
    )
    return (*first, *(_row(pod, one, mains.get(one.name), "") for one in pod.spec.containers))


def probe_words(probe: Probe) -> str:
    """A probe as `kubectl describe` says it."""
    return f"{_what(probe)} every {probe.period_seconds} s" + "".join(
        f", {words}"
        for words, number, usual in (
            (f"after {probe.initial_delay_seconds} s", probe.initial_delay_seconds, 0),
            (f"within {probe.timeout_seconds} s", probe.timeout_seconds, 1),
            (f"{probe.failure_threshold} failures in a row", probe.failure_threshold, 3),
        )
        if number != usual
    )


def _what(probe: Probe) -> str:
    if probe.http_get:
        get = probe.http_get
        return f"{get.scheme.lower()}-get {get.host}:{get.port}{get.path or '/'}"
    if probe.tcp_socket:
        return f"tcp-socket :{probe.tcp_socket.port}"
    if probe.grpc:
        return f"grpc :{probe.grpc.port} {probe.grpc.service or ''}".rstrip()
    return f"exec {' '.join(probe.exec.command)}" if probe.exec else "probe"


def _row(pod: Pod, one: Container, told: ContainerStatus | None, role: str) -> ContainerRow:
    status = told or ContainerStatus(one.name)
    last = status.last_state.terminated
    since, word = _since(status.state)
    return ContainerRow(
        pod.key,
        one.name,
        role,
        one.image,
        container_state(status.state),
        _tone(status),
        status.ready,
        status.restart_count,
        since,
        word,
        _why(status.state),
        _ending(last) if last else "",
        (last.finished_at or "") if last else "",
        ", ".join(f"{port.container_port}/{port.protocol}" + (f" {port.name}" if port.name else "") for port in one.ports),
        tuple(_probes(one)),
    )


def _probes(one: Container) -> Iterator[tuple[str, str]]:
    named = (("Startup", one.startup_probe), ("Readiness", one.readiness_probe), ("Liveness", one.liveness_probe))
    for name, probe in named:
        if probe is not None:
            yield f"{name} probe", probe_words(probe)


def _since(state: State) -> tuple[str, str]:
    if state.running:
        return state.running.started_at or "", "Started"
    if state.terminated:
        return state.terminated.finished_at or "", "Ended"
    return "", ""


def _why(state: State) -> str:
    if state.waiting:
        return state.waiting.message
    return _ending(state.terminated) if state.terminated else ""


def _ending(ended: Terminated) -> str:
    """How a container ended: exit code or signal, reason and what it said last."""
    how = f"signal {ended.signal}" if ended.signal else f"exit code {ended.exit_code}"
    return how + (f" ({ended.reason})" if ended.reason else "") + (f": {ended.message.strip()}" if ended.message else "")


def _tone(status: ContainerStatus) -> Tone:
    state = status.state
    if state.running:
        return Tone.GOOD if status.ready else Tone.WAITING
    if state.terminated:
        return Tone.DONE if state.terminated.exit_code == 0 and not state.terminated.signal else Tone.BAD
    reason = state.waiting.reason if state.waiting else ""
    return Tone.WAITING if reason in ("", "ContainerCreating", "PodInitializing") else Tone.BAD
