"""A pod's row: its status is a digest of what its containers do (kubernetes `printPod`). Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.api.table.columns import AGE, NAME, NONE, Column, Object, at, human_duration, wide


class Digest(msgspec.Struct, frozen=True):
    """`reason` stands in STATUS; `last_restart` is when a container last ended, "" if none did."""

    reason: str
    ready: int
    total: int
    restarts: int
    last_restart: str


def digest(pod: Object) -> Digest:
    """What the containers' states come to."""
    reason = at(pod, "status.reason") or at(pod, "status.phase", "") or ""
    sidecars = {c["name"] for c in at(pod, "spec.initContainers", ()) if c.get("restartPolicy") == "Always"}
    total = len(at(pod, "spec.containers", ())) + len(sidecars)
    begun = list(at(pod, "status.initContainerStatuses", ()))
    statuses = list(at(pod, "status.containerStatuses", ()))
    initializing = _initializing(pod, begun, sidecars)
    ready = sum(1 for status in begun if status["name"] in sidecars and status.get("started") and status.get("ready"))
    if initializing and not _has_condition(pod, "Initialized"):
        return Digest(_terminating(pod) or initializing, ready, total, _restarts(begun), _last_end(begun))
    reason = _running_reason(pod, statuses, initializing or reason)
    ready += sum(1 for status in statuses if _is_ready(status))
    counted = [*(status for status in begun if status["name"] in sidecars), *statuses]
    return Digest(_terminating(pod) or reason, ready, total, _restarts(counted), _last_end(counted))


def _initializing(pod: Object, begun: list[Object], sidecars: set[str]) -> str:
    """What the first init container that is not done says, "" if all are."""
    for index, status in enumerate(begun):
        state = status.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting")
        if (ended and ended.get("exitCode") == 0) or (status["name"] in sidecars and status.get("started")):
            continue
        if ended:
            return f"Init:{_ended_reason(ended)}"
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(at(pod, 'spec.initContainers', ()))}"
    return ""


def _running_reason(pod: Object, statuses: list[Object], reason: str) -> str:
    for text in _reasons(reversed(statuses)):
        reason = text
    if reason == "Completed" and any(_is_ready(status) for status in statuses):
        return "Running" if _has_condition(pod, "Ready") else "NotReady"
    return reason


def _reasons(statuses: Iterable[Object]) -> Iterator[str]:
    for status in statuses:
        state = status.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            yield waiting["reason"]
        elif ended:
            yield _ended_reason(ended)


def _ended_reason(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _terminating(pod: Object) -> str:
    if not pod["metadata"].get("deletionTimestamp"):
        return ""
    if at(pod, "status.reason") == "NodeLost":
        return "Unknown"
    return "" if at(pod, "status.phase") in ("Succeeded", "Failed") else "Terminating"


def _is_ready(status: Object) -> bool:
    return bool(status.get("ready")) and (status.get("state") or {}).get("running") is not None


def _has_condition(pod: Object, name: str) -> bool:
    return any(c["type"] == name and c["status"] == "True" for c in at(pod, "status.conditions", ()))


def _restarts(statuses: list[Object]) -> int:
    return sum(status.get("restartCount", 0) for status in statuses)


def _last_end(statuses: list[Object]) -> str:
    return max((str(at(status, "lastState.terminated.finishedAt", "")) for status in statuses), default="")


def _ready_cell(pod: Object, now: datetime) -> str:
    found = digest(pod)
    return f"{found.ready}/{found.total}"


def _restarts_cell(pod: Object, now: datetime) -> str:
    found = digest(pod)
    if not found.restarts or not found.last_restart:
        return str(found.restarts)
    ago = (now - datetime.fromisoformat(found.last_restart)).total_seconds()
    return f"{found.restarts} ({human_duration(ago)} ago)"


def _address(pod: Object, now: datetime) -> str:
    addresses = at(pod, "status.podIPs", ())
    return str((addresses[0].get("ip") if addresses else at(pod, "status.podIP")) or NONE)


def _gates(pod: Object, now: datetime) -> str:
    gates: list[dict[str, Any]] = at(pod, "spec.readinessGates", [])
    if not gates:
        return NONE
    return f"{sum(1 for gate in gates if _has_condition(pod, gate['conditionType']))}/{len(gates)}"


PODS = (
    NAME,
    Column("Ready", _ready_cell),
    Column("Status", lambda pod, now: digest(pod).reason),
    Column("Restarts", _restarts_cell),
    AGE,
    wide("IP", _address),
    wide("Node", lambda pod, now: at(pod, "spec.nodeName") or NONE),
    wide("Nominated Node", lambda pod, now: at(pod, "status.nominatedNodeName") or NONE),
    wide("Readiness Gates", _gates),
)
