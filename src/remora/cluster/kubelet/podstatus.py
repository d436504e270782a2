"""A pod's status from the states of its containers. Pure.

The rules and the wording are those of the kubelet: `kubectl get` and `kubectl describe` make their columns from it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.kubelet.quantities import quantity
from remora.cluster.kubelet.states import ContainerState, Terminated, Waiting, render_container
from remora.cluster.objects import TERMINAL_PHASES, Object, render_time, with_conditions

_KEPT = ("reason", "message", "nominatedNodeName", "resize", "resourceClaimStatuses")
"""Fields of the status that others write, or that the kubelet writes once."""


class PodState(msgspec.Struct, frozen=True, kw_only=True):
    """All containers of a pod; `sidecars` are the names of the init containers that run beside the others."""

    pod_ip: str
    host_ip: str
    started_at: datetime
    init: tuple[ContainerState, ...] = ()
    sidecars: frozenset[str] = frozenset()
    containers: tuple[ContainerState, ...] = ()
    ephemeral: tuple[ContainerState, ...] = ()
    is_over: bool = False
    """Whether no container will be started again."""
    failure: tuple[str, str] | None = None
    """Reason and message, if the pod itself failed, whatever its containers did."""


def render_status(pod: Mapping[str, Any], state: PodState, *, now: datetime) -> Object:
    """The whole `status` of the pod; conditions that others wrote are kept."""
    before = pod.get("status") or {}
    phase_ = before["phase"] if before.get("phase") in TERMINAL_PHASES else phase(state)
    conditions = with_conditions(before.get("conditions") or (), _conditions(pod, state, phase_, now))
    status: Object = {name: before[name] for name in _KEPT if name in before}
    if state.failure:
        status |= {"reason": state.failure[0], "message": state.failure[1]}
    status |= {
        "phase": phase_,
        "conditions": conditions,
        "hostIP": state.host_ip,
        "hostIPs": [{"ip": state.host_ip}],
        "startTime": render_time(state.started_at),
        "containerStatuses": [render_container(container) for container in state.containers],
        "qosClass": before.get("qosClass") or qos_class(pod["spec"]),
        "observedGeneration": pod["metadata"].get("generation", 1),
    }
    if state.pod_ip:
        status |= {"podIP": state.pod_ip, "podIPs": [{"ip": state.pod_ip}]}
    if state.init:
        status["initContainerStatuses"] = [render_container(container) for container in state.init]
    if state.ephemeral:
        status["ephemeralContainerStatuses"] = [render_container(container) for container in state.ephemeral]
    return status


def phase(state: PodState) -> str:
    """`status.phase`: Pending until every container was started once, Succeeded or Failed when it is over.

    Sidecars are waited for at the beginning; how they end does not matter.
    """
    if state.failure and state.is_over:
        return "Failed"
    if state.is_over:
        counted = (*(found for found in state.init if found.name not in state.sidecars), *state.containers)
        ended = [container for container in counted if isinstance(container.state, Terminated)]
        is_good = bool(ended) and all(found.has_succeeded for found in ended)
        return "Succeeded" if is_good else "Failed"
    begun = all(container.has_begun for container in state.containers)
    return "Running" if begun and state.containers and not _uninitialized(state) else "Pending"


def qos_class(spec: Mapping[str, Any]) -> str:
    """`status.qosClass` from requests and limits of processor and memory."""
    containers = (*spec["containers"], *(spec.get("initContainers") or ()))
    resources = [container.get("resources") or {} for container in containers]
    if spec.get("resources"):
        resources = [spec["resources"]]
    if not any(_sizes(part, section) for part in resources for section in ("requests", "limits")):
        return "BestEffort"
    for part in resources:
        limits = _sizes(part, "limits")
        requests = {**limits, **_sizes(part, "requests")}
        if len(limits) < 2 or requests != limits:
            return "Burstable"
    return "Guaranteed"


def _sizes(resources: Mapping[str, Any], section: str) -> dict[str, Any]:
    """What is set of processor and memory; zero counts as nothing."""
    given = resources.get(section) or {}
    numbers = {name: quantity(given[name]) for name in ("cpu", "memory") if name in given}
    return {name: number for name, number in numbers.items() if number}


def _uninitialized(state: PodState) -> list[str]:
    """Init containers that the pod still waits for; none once one of its containers was started."""
    if any(container.has_begun for container in state.containers):
        return []
    return [found.name for found in state.init if not (found.started if found.name in state.sidecars else found.has_succeeded)]


def _conditions(pod: Mapping[str, Any], state: PodState, phase_: str, now: datetime) -> Iterator[Object]:
    uninitialized = _uninitialized(state)
    completed = "PodCompleted" if phase_ == "Succeeded" else "PodFailed" if phase_ == "Failed" else ""
    has_begun = any(found.has_begun for found in (*state.init, *state.containers))
    yield _condition("PodReadyToStartContainers", has_begun and not completed, now)
    if uninitialized:
        message = f"containers with incomplete status: [{' '.join(uninitialized)}]"
        yield _condition("Initialized", False, now, "ContainersNotInitialized", message)
    else:
        yield _condition("Initialized", True, now, completed if phase_ == "Succeeded" else "")
    unready = [] if completed else [found.name for found in _counting(state) if not found.ready]
    why = f"containers with unready status: [{' '.join(unready)}]" if unready else ""
    gates = _closed_gates(pod)
    if completed:
        yield _condition("Ready", False, now, completed)
    elif not unready and gates:
        yield _condition("Ready", False, now, "ReadinessGatesNotReady", ", ".join(gates))
    else:
        yield _condition("Ready", not unready, now, "ContainersNotReady" if unready else "", why)
    reason = completed or ("ContainersNotReady" if unready else "")
    yield _condition("ContainersReady", not reason, now, reason, why)
    yield _condition("PodScheduled", True, now)


def _counting(state: PodState) -> Sequence[ContainerState]:
    """Whose readiness is the pod's: sidecars' too."""
    return (*(found for found in state.init if found.name in state.sidecars), *state.containers)


def _closed_gates(pod: Mapping[str, Any]) -> list[str]:
    present = {found["type"]: found.get("status") for found in (pod.get("status") or {}).get("conditions") or ()}
    messages = []
    for gate in pod["spec"].get("readinessGates") or ():
        type_ = gate["conditionType"]
        if type_ not in present:
            messages.append(f'corresponding condition of pod readiness gate "{type_}" does not exist.')
        elif present[type_] != "True":
            messages.append(f'the status of pod readiness gate "{type_}" is not "True", but {present[type_]}')
    return messages


def _condition(type_: str, value: bool, now: datetime, reason: str = "", message: str = "") -> Object:
    result: Object = {
        "type": type_,
        "status": "True" if value else "False",
        "lastProbeTime": None,
        "lastTransitionTime": render_time(now),
    }
    result |= {"reason": reason} if reason else {}
    return result | ({"message": message} if message else {})


def fresh_state(name: str, image: str, *, has_init: bool) -> ContainerState:
    """Before anything was tried."""
    return ContainerState(name=name, image=image, state=Waiting("PodInitializing" if has_init else "ContainerCreating"))
