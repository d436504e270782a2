"""What is known of a pod's containers, and the pod status that follows from it. Pure.

The wording is that of the kubelet: `kubectl get` and `kubectl describe` make their columns from it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.objects import Object, parse_time, render_time, with_conditions

IMAGE_ID = "remora://"


class Waiting(msgspec.Struct, frozen=True):
    reason: str = "ContainerCreating"
    message: str = ""


class Running(msgspec.Struct, frozen=True):
    started_at: datetime


class Terminated(msgspec.Struct, frozen=True):
    """`exit_code` is 128 plus the signal's number for a process that a signal ended, as a shell reports it."""

    exit_code: int
    reason: str
    finished_at: datetime
    started_at: datetime | None = None
    message: str = ""
    container_id: str = ""


State = Waiting | Running | Terminated


class ContainerState(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a pod at one moment."""

    name: str
    image: str
    state: State = Waiting()
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""


class PodState(msgspec.Struct, frozen=True, kw_only=True):
    """All containers of a pod. `init` is empty once nothing of it matters."""

    pod_ip: str
    host_ip: str
    started_at: datetime
    init: tuple[ContainerState, ...] = ()
    containers: tuple[ContainerState, ...] = ()
    ephemeral: tuple[ContainerState, ...] = ()
    is_over: bool = False
    """Whether no container will be started again."""


def render_status(pod: Mapping[str, Any], state: PodState, *, now: datetime) -> Object:
    """The whole `status` of the pod; conditions that others wrote are kept."""
    before = pod.get("status") or {}
    phase_ = phase(state)
    conditions = with_conditions(before.get("conditions") or (), _conditions(pod, state, phase_, now))
    status: Object = {
        "phase": phase_,
        "conditions": conditions,
        "hostIP": state.host_ip,
        "hostIPs": [{"ip": state.host_ip}],
        "startTime": render_time(state.started_at),
        "containerStatuses": [_render(container) for container in state.containers],
        "qosClass": before.get("qosClass") or qos_class(pod["spec"]),
        "observedGeneration": pod["metadata"].get("generation", 1),
    }
    if state.pod_ip:
        status |= {"podIP": state.pod_ip, "podIPs": [{"ip": state.pod_ip}]}
    if state.init:
        status["initContainerStatuses"] = [_render(container) for container in state.init]
    if state.ephemeral:
        status["ephemeralContainerStatuses"] = [_render(container) for container in state.ephemeral]
    return status


def parse_containers(status: Mapping[str, Any], *, kind: str) -> dict[str, ContainerState]:
    """The containers of a status that `render_status` made, by name; `kind` is their list in the spec."""
    listed = status.get(f"{kind.removesuffix('s')}Statuses") or ()
    return {found["name"]: _parse(found) for found in listed}


def lost(state: ContainerState, *, now: datetime) -> ContainerState:
    """A container that was said to run and whose process is not there, as the kubelet reports it after a reboot."""
    if not isinstance(state.state, Running):
        return state
    ended = Terminated(255, "Unknown", now, state.state.started_at, container_id=state.container_id)
    return msgspec.structs.replace(state, state=ended, ready=False, started=False)


def _parse(found: Mapping[str, Any]) -> ContainerState:
    state = _parse_state(found.get("state") or {}) or Waiting()
    last = _parse_state(found.get("lastState") or {})
    return ContainerState(
        name=found["name"],
        image=found.get("image", ""),
        state=state,
        last=last if isinstance(last, Terminated) else None,
        restarts=found.get("restartCount", 0),
        ready=bool(found.get("ready")),
        started=bool(found.get("started")),
        container_id=found.get("containerID", ""),
    )


def _parse_state(found: Mapping[str, Any]) -> State | None:
    if (running := found.get("running")) is not None:
        return Running(parse_time(running["startedAt"]))
    if (waiting := found.get("waiting")) is not None:
        return Waiting(waiting.get("reason", ""), waiting.get("message", ""))
    if (ended := found.get("terminated")) is not None:
        started = ended.get("startedAt")
        return Terminated(
            exit_code=ended["exitCode"],
            reason=ended.get("reason", ""),
            finished_at=parse_time(ended["finishedAt"]),
            started_at=parse_time(started) if started else None,
            message=ended.get("message", ""),
            container_id=ended.get("containerID", ""),
        )
    return None


def phase(state: PodState) -> str:
    """`status.phase`: Pending until every container was started once, Succeeded or Failed when it is over."""
    if state.is_over:
        everything = (*state.init, *state.containers)
        ended = [container.state for container in everything if isinstance(container.state, Terminated)]
        is_good = bool(ended) and all(found.exit_code == 0 for found in ended)
        return "Succeeded" if is_good else "Failed"
    if not _is_initialized(state):
        return "Pending"
    begun = all(not isinstance(c.state, Waiting) or c.last is not None for c in state.containers)
    return "Running" if begun and state.containers else "Pending"


def qos_class(spec: Mapping[str, Any]) -> str:
    """`status.qosClass` from requests and limits of processor and memory."""
    resources = [container.get("resources") or {} for container in (*spec["containers"], *(spec.get("initContainers") or ()))]
    if not any(part.get("requests") or part.get("limits") for part in resources):
        return "BestEffort"
    for part in resources:
        limits = part.get("limits") or {}
        requests = part.get("requests") or limits
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _is_initialized(state: PodState) -> bool:
    return all(isinstance(c.state, Terminated) and c.state.exit_code == 0 for c in state.init)


def _conditions(pod: Mapping[str, Any], state: PodState, phase_: str, now: datetime) -> Sequence[Object]:
    unready = [container.name for container in state.containers if not container.ready]
    completed = "PodCompleted" if phase_ == "Succeeded" else "PodFailed" if phase_ == "Failed" else ""
    reason = completed or "ContainersNotReady"
    message = f"containers with unready status: [{' '.join(unready)}]" if unready and not completed else ""
    unfinished = [c.name for c in state.init if not (isinstance(c.state, Terminated) and c.state.exit_code == 0)]
    initialized = not unfinished
    init_message = f"containers with incomplete status: [{' '.join(unfinished)}]"
    has_begun = any(not isinstance(c.state, Waiting) for c in (*state.init, *state.containers))
    gates_open, gates_message = _readiness_gates(pod)
    ready = not unready and gates_open
    why = (reason, message) if unready else ("ReadinessGatesNotReady", gates_message)
    return (
        _condition("PodReadyToStartContainers", has_begun and not completed, now),
        _condition(
            "Initialized",
            initialized,
            now,
            "" if initialized else "ContainersNotInitialized",
            "" if initialized else init_message,
        ),
        _condition("Ready", ready, now, *(("", "") if ready else why)),
        _condition("ContainersReady", not unready, now, "" if not unready else reason, message),
        _condition("PodScheduled", True, now),
    )


def _readiness_gates(pod: Mapping[str, Any]) -> tuple[bool, str]:
    present = {c["type"]: c.get("status") for c in (pod.get("status") or {}).get("conditions") or ()}
    for gate in pod["spec"].get("readinessGates") or ():
        type_ = gate["conditionType"]
        if present.get(type_) != "True":
            verb = "does not exist" if type_ not in present else "is not True"
            return False, f'corresponding condition of pod readiness gate "{type_}" {verb}.'
    return True, ""


def _condition(type_: str, value: bool, now: datetime, reason: str = "", message: str = "") -> Object:
    result: Object = {
        "type": type_,
        "status": "True" if value else "False",
        "lastProbeTime": None,
        "lastTransitionTime": render_time(now),
    }
    result |= {"reason": reason} if reason else {}
    return result | ({"message": message} if message else {})


def _render(container: ContainerState) -> Object:
    return {
        "name": container.name,
        "state": _render_state(container.state),
        "lastState": _render_state(container.last) if container.last else {},
        "ready": container.ready,
        "restartCount": container.restarts,
        "image": container.image,
        "imageID": IMAGE_ID + container.image if container.container_id else "",
        "started": container.started,
        **({"containerID": container.container_id} if container.container_id else {}),
    }


def _render_state(state: State) -> Object:
    match state:
        case Waiting():
            return {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
        case Running():
            return {"running": {"startedAt": render_time(state.started_at)}}
        case Terminated():
            rendered: Object = {
                "exitCode": state.exit_code,
                "reason": state.reason,
                "startedAt": render_time(state.started_at) if state.started_at else None,
                "finishedAt": render_time(state.finished_at),
            }
            rendered |= {"signal": state.exit_code - 128} if state.exit_code > 128 and state.reason != "Unknown" else {}
            rendered |= {"message": state.message} if state.message else {}
            return {"terminated": rendered | ({"containerID": state.container_id} if state.container_id else {})}
