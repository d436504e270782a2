"""A pod's state in the words of `kubectl get pods` (kubernetes `printPod`), and how that is to be taken. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import msgspec

from remora.dashboard.workload_objects import ContainerStatus, Pod, State, Terminated


class Tone(Enum):
    """How good or bad a state is; said in words too, so a page does not depend on seeing colours."""

    GOOD = "good"
    WAITING = "waiting"
    BAD = "bad"
    DONE = "done"
    GOING = "going"


class PodState(msgspec.Struct, frozen=True):
    """`reason` is what kubectl has under STATUS; `last_end` when a container last ended, "" if none did."""

    reason: str
    tone: Tone
    ready: int
    total: int
    restarts: int
    last_end: str = ""


_WAITS = frozenset({"ContainerCreating", "PodInitializing", "Pending", "NotReady"})


def pod_state(pod: Pod) -> PodState:
    """What the states of a pod's containers come to."""
    sidecars = frozenset(c.name for c in pod.spec.init_containers if c.restart_policy == "Always")
    total = len(pod.spec.containers) + len(sidecars)
    begun, statuses = pod.status.init_container_statuses, pod.status.container_statuses
    beside = [status for status in begun if status.name in sidecars]
    ready = sum(1 for status in beside if status.started and status.ready)
    initializing = _initializing(pod, sidecars)
    if initializing and not has_condition(pod, "Initialized"):
        reason, counted = initializing, list(begun)
    else:
        reason = _running_reason(pod, initializing or pod.status.reason or pod.status.phase)
        ready += sum(1 for status in statuses if _is_ready(status))
        counted = [*beside, *statuses]
    reason = _going(pod) or reason
    restarts = sum(status.restart_count for status in counted)
    return PodState(reason, _tone(pod, reason, ready, total), ready, total, restarts, _last_end(counted))


def container_state(state: State) -> str:
    """One container's state in a word, as STATUS would name it."""
    if state.running is not None:
        return "Running"
    if state.terminated is not None:
        return ended_reason(state.terminated)
    return (state.waiting.reason if state.waiting else "") or "Waiting"


def ended_reason(ended: Terminated) -> str:
    """Why a container ended: its reason, else its signal, else its exit code."""
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def has_condition(pod: Pod, name: str) -> bool:
    return any(condition.type == name and condition.status == "True" for condition in pod.status.conditions)


def _initializing(pod: Pod, sidecars: frozenset[str]) -> str:
    """What the first init container that is not done says, "" if all are."""
    for index, status in enumerate(pod.status.init_container_statuses):
        ended, waiting = status.state.terminated, status.state.waiting
        if (ended and ended.exit_code == 0) or (status.name in sidecars and status.started):
            continue
        if ended:
            return f"Init:{ended_reason(ended)}"
        if waiting and waiting.reason not in ("", "PodInitializing"):
            return f"Init:{waiting.reason}"
        return f"Init:{index}/{len(pod.spec.init_containers)}"
    return ""


def _running_reason(pod: Pod, reason: str) -> str:
    statuses = pod.status.container_statuses
    # The first container's reason is the one that stays, so they are asked from the last to the first.
    for text in _reasons(reversed(statuses)):
        reason = text
    if reason == "Completed" and any(_is_ready(status) for status in statuses):
        return "Running" if has_condition(pod, "Ready") else "NotReady"
    return reason


def _reasons(statuses: Iterable[ContainerStatus]) -> Iterator[str]:
    for status in statuses:
        if status.state.waiting and status.state.waiting.reason:
            yield status.state.waiting.reason
        elif status.state.terminated:
            yield ended_reason(status.state.terminated)


def _going(pod: Pod) -> str:
    if not pod.metadata.deletion_timestamp:
        return ""
    if pod.status.reason == "NodeLost":
        return "Unknown"
    return "" if pod.status.phase in ("Succeeded", "Failed") else "Terminating"


def _is_ready(status: ContainerStatus) -> bool:
    return status.ready and status.state.running is not None


def _last_end(statuses: Sequence[ContainerStatus]) -> str:
    ends = (status.last_state.terminated for status in statuses)
    return max(((end.finished_at or "") for end in ends if end), default="")


def _tone(pod: Pod, reason: str, ready: int, total: int) -> Tone:
    if reason == "Terminating":
        return Tone.GOING
    if reason in ("Completed", "Succeeded"):
        return Tone.DONE
    if reason == "Running":
        return Tone.GOOD if ready == total else Tone.WAITING
    if reason in _WAITS or (reason.startswith("Init:") and reason[5:6].isdigit()):
        return Tone.WAITING
    return Tone.BAD
