"""A pod's state in kubectl's words, also as the local API server prints it, which reads pods with code of its own."""

import itertools
from typing import Any

import msgspec
import pytest

from remora.cluster.api.table.pods import digest
from remora.dashboard.pod_state import Tone, pod_state
from remora.dashboard.workload_objects import Pod

Wire = dict[str, Any]

STATES: tuple[Wire, ...] = (
    {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
    {"waiting": {"reason": "ContainerCreating"}},
    {"waiting": {"reason": "PodInitializing"}},
    {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
    {"waiting": {"reason": "ErrImagePull"}},
    {"terminated": {"exitCode": 0, "reason": "Completed"}},
    {"terminated": {"exitCode": 3}},
    {"terminated": {"exitCode": 0, "signal": 9}},
    {},
)


def status_of(name: str, state: Wire, *, ready: bool = False, restarts: int = 0, started: bool = False) -> Wire:
    ended = {"terminated": {"exitCode": 1, "finishedAt": f"2026-01-01T00:00:0{restarts % 10}Z"}} if restarts else {}
    told = {"name": name, "state": state, "ready": ready, "restartCount": restarts, "lastState": ended, "started": started}
    return told


def pod_of(
    *statuses: Wire,
    inits: tuple[Wire, ...] = (),
    sidecar: bool = False,
    phase: str = "Running",
    conditions: str = "",
    **meta: Any,
) -> Wire:
    beside = [{"name": one["name"], **({"restartPolicy": "Always"} if sidecar else {})} for one in inits]
    status = {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(inits)}
    status["conditions"] = [{"type": name, "status": "True"} for name in conditions.split()]
    spec = {"containers": [{"name": one["name"]} for one in statuses], "initContainers": beside}
    return {"metadata": {"name": "p", **meta}, "spec": spec, "status": status}


def state_of(pod: Wire) -> tuple[str, Tone]:
    found = pod_state(msgspec.convert(pod, Pod))
    return found.reason, found.tone


def all_pods() -> list[Wire]:
    pods = [
        pod_of(status_of("a", one, ready=ready, restarts=2), status_of("b", other), conditions=conditions)
        for one, other in itertools.product(STATES, STATES)
        for ready, conditions in ((True, "Ready Initialized"), (False, ""))
    ]
    pods += [
        pod_of(status_of("a", one), inits=(status_of("i", init, restarts=1, started=sidecar),), sidecar=sidecar)
        for one, init, sidecar in itertools.product(STATES, STATES, (False, True))
    ]
    going = [{**pod, "metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}} for pod in pods[::7]]
    ended = [{**pod, "status": {**pod["status"], "phase": phase}} for phase in ("Succeeded", "Failed") for pod in going]
    lost = [{**pod, "status": {**pod["status"], "reason": "NodeLost"}} for pod in going]
    return [*pods, *going, *ended, *lost]


def test_every_state_reads_as_the_api_server_prints_it() -> None:
    for pod in all_pods():
        found, printed = pod_state(msgspec.convert(pod, Pod)), digest(pod)
        ours = (found.reason, found.ready, found.total, found.restarts, found.last_end)
        assert ours == (printed.reason, printed.ready, printed.total, printed.restarts, printed.last_restart), pod


@pytest.mark.parametrize(
    ("pod", "reason", "tone"),
    [
        (pod_of(status_of("a", STATES[0], ready=True)), "Running", Tone.GOOD),
        (pod_of(status_of("a", STATES[0])), "Running", Tone.WAITING),
        (pod_of(status_of("a", STATES[1])), "ContainerCreating", Tone.WAITING),
        (pod_of(status_of("a", STATES[3])), "CrashLoopBackOff", Tone.BAD),
        (pod_of(status_of("a", STATES[5])), "Completed", Tone.DONE),
        (pod_of(status_of("a", STATES[6])), "ExitCode:3", Tone.BAD),
        (pod_of(status_of("a", STATES[7])), "Signal:9", Tone.BAD),
        (pod_of(status_of("a", STATES[2]), inits=(status_of("i", STATES[0]),)), "Init:0/1", Tone.WAITING),
        (pod_of(status_of("a", STATES[2]), inits=(status_of("i", STATES[3]),)), "Init:CrashLoopBackOff", Tone.BAD),
        (pod_of(phase="Pending"), "Pending", Tone.WAITING),
        (pod_of(phase="Failed"), "Failed", Tone.BAD),
        (pod_of(status_of("a", STATES[0]), deletionTimestamp="2026-01-01T00:00:00Z"), "Terminating", Tone.GOING),
    ],
)
def test_a_state_is_good_or_bad_or_on_its_way(pod: Wire, reason: str, tone: Tone) -> None:
    assert state_of(pod) == (reason, tone)
