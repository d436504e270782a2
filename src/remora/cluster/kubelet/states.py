"""What is known of a pod's containers, and how a pod's status tells it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.objects import Object, parse_time, render_time

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

    @property
    def has_succeeded(self) -> bool:
        return isinstance(self.state, Terminated) and self.state.exit_code == 0

    @property
    def has_begun(self) -> bool:
        """Whether it was started at least once."""
        return self.last is not None or not isinstance(self.state, Waiting)


def parse_containers(status: Mapping[str, Any], *, kind: str) -> dict[str, ContainerState]:
    """The containers of a status that `podstatus.render_status` made, by name; `kind` is their list in the spec."""
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


def render_container(container: ContainerState) -> Object:
    """Its entry in one of the lists of `status`."""
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
            rendered |= {"message": state.message} if state.message else {}
            return {"terminated": rendered | ({"containerID": state.container_id} if state.container_id else {})}
