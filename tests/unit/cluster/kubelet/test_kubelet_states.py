"""From containers' states to the pod's status, and the numbers behind restarts and probes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.cluster.addresses import NODE_NAME
from remora.cluster.controllers.actions import Update
from remora.cluster.events import Happening, event, is_expired, repeated
from remora.cluster.kubelet.backoff import image_pause, render_duration, restart_pause
from remora.cluster.kubelet.fit import Surroundings
from remora.cluster.kubelet.podstatus import PodState, phase, qos_class, render_status
from remora.cluster.kubelet.probes import Count, Timing, Verdict, http_target, timing
from remora.cluster.kubelet.scheduler import decide
from remora.cluster.kubelet.states import (
    ContainerState,
    Running,
    Terminated,
    Waiting,
    lost,
    parse_containers,
)
from remora.cluster.objects import Object, condition

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
RUNNING = ContainerState(name="main", image="web", state=Running(NOW), ready=True, started=True, container_id="remora://1")
DONE = Terminated(0, "Completed", NOW, NOW)
FAILED = Terminated(3, "Error", NOW, NOW)


def _pod(**spec: Any) -> Object:
    return {"metadata": {"name": "web", "namespace": "default", "uid": "u"}, "spec": {"containers": [{"name": "main"}], **spec}}


def _state(*containers: ContainerState, **fields: Any) -> PodState:
    return PodState(pod_ip="127.64.0.1", host_ip="127.64.255.254", started_at=NOW, containers=containers, **fields)


def _waiting(reason: str = "ContainerCreating", **fields: Any) -> ContainerState:
    return ContainerState(name="main", image="web", state=Waiting(reason), **fields)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (_state(_waiting()), "Pending"),
        (_state(RUNNING), "Running"),
        (_state(RUNNING, _waiting("ImagePullBackOff")), "Pending"),
        (_state(_waiting("CrashLoopBackOff", last=FAILED)), "Running"),
        (_state(_waiting(), init=(ContainerState(name="i", image="", state=Running(NOW)),)), "Pending"),
        (_state(msgspec.structs.replace(RUNNING, state=DONE), is_over=True), "Succeeded"),
        (_state(msgspec.structs.replace(RUNNING, state=FAILED), is_over=True), "Failed"),
    ],
)
def test_phase_follows_from_the_containers(state: PodState, wanted: str) -> None:
    assert phase(state) == wanted


HELPER = ContainerState(name="helper", image="web", state=Running(NOW), ready=True, started=True, container_id="remora://2")


def _with_sidecar(helper: ContainerState, *containers: ContainerState, **fields: Any) -> PodState:
    return _state(*containers, init=(helper,), sidecars=frozenset({"helper"}), **fields)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (_with_sidecar(HELPER, RUNNING), "Running"),
        (_with_sidecar(msgspec.structs.replace(HELPER, started=False), _waiting("PodInitializing")), "Pending"),
        # A sidecar that is started again does not make a running pod pending.
        (_with_sidecar(msgspec.structs.replace(HELPER, state=Waiting("CrashLoopBackOff"), started=False), RUNNING), "Running"),
        (
            _with_sidecar(
                msgspec.structs.replace(HELPER, state=Terminated(143, "Error", NOW, NOW)),
                msgspec.structs.replace(RUNNING, state=DONE),
                is_over=True,
            ),
            "Succeeded",
        ),
        (_state(RUNNING, failure=("DeadlineExceeded", "long"), is_over=True), "Failed"),
    ],
)
def test_sidecars_are_waited_for_and_then_do_not_decide(state: PodState, wanted: str) -> None:
    assert phase(state) == wanted


def test_sidecar_that_is_not_ready_keeps_its_pod_from_being_ready() -> None:
    status = render_status(_pod(), _with_sidecar(msgspec.structs.replace(HELPER, ready=False), RUNNING), now=NOW)
    found = condition({"status": status}, "ContainersReady") or {}
    assert (found["status"], found["message"]) == ("False", "containers with unready status: [helper]")
    assert (condition({"status": status}, "Initialized") or {})["status"] == "True"


def test_init_containers_that_are_not_done_are_named() -> None:
    init = (msgspec.structs.replace(RUNNING, name="a", state=DONE), _waiting("PodInitializing"))
    status = render_status(_pod(), _state(_waiting("PodInitializing"), init=init), now=NOW)
    found = condition({"status": status}, "Initialized") or {}
    assert (found["reason"], found["message"]) == ("ContainersNotInitialized", "containers with incomplete status: [main]")


def test_finished_pod_stays_what_it_was_and_keeps_why() -> None:
    before = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "long"}
    status = render_status({**_pod(), "status": before}, _state(RUNNING), now=NOW)
    assert before.items() <= status.items()
    assert (condition({"status": status}, "Ready") or {})["reason"] == "PodFailed"


def test_ready_pod_says_so_in_every_condition() -> None:
    status = render_status(_pod(), _state(RUNNING), now=NOW)
    assert {found["type"]: found["status"] for found in status["conditions"]} == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    assert status["podIPs"] == [{"ip": "127.64.0.1"}]
    assert status["containerStatuses"][0]["state"] == {"running": {"startedAt": "2026-05-01T12:00:00Z"}}


def test_unready_containers_are_named() -> None:
    status = render_status(_pod(), _state(_waiting("ErrImagePull")), now=NOW)
    found = condition({"status": status}, "Ready") or {}
    assert (found["status"], found["reason"]) == ("False", "ContainersNotReady")
    assert found["message"] == "containers with unready status: [main]"


def test_readiness_gate_holds_the_pod_back() -> None:
    pod = _pod(readinessGates=[{"conditionType": "example.com/go"}])
    closed = condition({"status": render_status(pod, _state(RUNNING), now=NOW)}, "Ready") or {}
    assert (closed["status"], closed["reason"]) == ("False", "ReadinessGatesNotReady")
    assert closed["message"] == 'corresponding condition of pod readiness gate "example.com/go" does not exist.'
    pod["status"] = {"conditions": [{"type": "example.com/go", "status": "False"}]}
    closed = condition({"status": render_status(pod, _state(RUNNING), now=NOW)}, "Ready") or {}
    assert closed["message"] == 'the status of pod readiness gate "example.com/go" is not "True", but False'
    pod["status"] = {"conditions": [{"type": "example.com/go", "status": "True"}]}
    assert (condition({"status": render_status(pod, _state(RUNNING), now=NOW)}, "Ready") or {})["status"] == "True"


def test_time_of_transition_stays_while_nothing_changes() -> None:
    pod = {**_pod(), "status": render_status(_pod(), _state(RUNNING), now=NOW)}
    assert render_status(pod, _state(RUNNING), now=NOW + timedelta(hours=1)) == pod["status"]


STATES = st.one_of(
    st.builds(Waiting, st.sampled_from(["ContainerCreating", "CrashLoopBackOff"]), st.sampled_from(["", "why"])),
    st.just(Running(NOW)),
    st.sampled_from([DONE, FAILED, Terminated(137, "Error", NOW, NOW, "m", "remora://0")]),
)


@given(STATES, st.sampled_from([None, DONE, FAILED]), st.integers(0, 9), st.booleans())
def test_states_are_read_back_from_the_status(state: Any, last: Terminated | None, restarts: int, ready: bool) -> None:
    before = ContainerState(
        name="main", image="web", state=state, last=last, restarts=restarts, ready=ready, container_id="remora://1"
    )
    status = render_status(_pod(), _state(before), now=NOW)
    assert parse_containers(status, kind="containers") == {"main": before}


def test_container_without_its_process_has_ended_unknown() -> None:
    ended = lost(RUNNING, now=NOW)
    assert ended.state == Terminated(255, "Unknown", NOW, NOW, container_id="remora://1")
    assert not ended.ready
    assert lost(ended, now=NOW) == ended


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ({}, "BestEffort"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Mi"}}, "Burstable"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"requests": {"cpu": "0", "memory": "0"}}, "BestEffort"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}, "Guaranteed"),
        ({"requests": {"example.com/device": "1"}}, "BestEffort"),
    ],
)
def test_quality_of_service_follows_from_the_resources(resources: Object, wanted: str) -> None:
    assert qos_class({"containers": [{"name": "main", "resources": resources}]}) == wanted


def test_restarts_wait_ever_longer_and_forget_after_ten_minutes() -> None:
    pauses: list[float] = []
    pause: float | None = None
    for _ in range(8):
        pause = restart_pause(pause, ran_for=timedelta(seconds=1))
        pauses.append(pause)
    assert pauses == [0, 10, 20, 40, 80, 160, 300, 300]
    assert restart_pause(300, ran_for=timedelta(minutes=10)) == 0
    assert [image_pause(0), image_pause(10)] == [10, 20]
    assert [render_duration(10), render_duration(160), render_duration(300)] == ["10s", "2m40s", "5m0s"]


def test_probe_needs_its_thresholds() -> None:
    numbers = Timing(success_threshold=2, failure_threshold=2)
    count, results = Count(), []
    for is_good in (True, True, False, True, False, False, True, True):
        count = count.after(Verdict(is_good), numbers)
        results.append(count.result)
    assert results == [None, True, True, True, True, False, False, True]


def test_probe_defaults_are_those_of_kubernetes() -> None:
    assert timing({}) == Timing(0.0, 10.0, 1.0, 1, 3)


def test_http_probe_goes_to_the_pod_unless_told_otherwise() -> None:
    container = {"ports": [{"name": "web", "containerPort": 8081}]}
    action = {"port": "web", "path": "health", "httpHeaders": [{"name": "Host", "value": "example.com"}]}
    assert http_target(action, container, "127.64.0.1") == (
        "http://127.64.0.1:8081/health",
        {"User-Agent": "kube-probe/1.36", "Accept": "*/*", "Host": "example.com"},
    )
    other = http_target({"port": 8443, "scheme": "HTTPS", "host": "127.0.0.1"}, container, "127.64.0.1")
    assert other is not None
    assert other[0] == "https://127.0.0.1:8443/"
    assert http_target({"port": "nobody"}, container, "127.64.0.1") is None


NODE = {"metadata": {"name": NODE_NAME, "labels": {"kubernetes.io/os": "linux"}}, "spec": {}}


def _scheduled(**spec: Any) -> Object:
    """The one object that the scheduler writes for such a pod."""
    (written,) = [action.object for action in decide(_pod(**spec), Surroundings(NODE), now=NOW) if isinstance(action, Update)]
    return written


def test_pod_is_bound_or_told_why_not() -> None:
    assert _scheduled()["spec"]["nodeName"] == NODE_NAME
    unfit = condition(_scheduled(nodeSelector={"kubernetes.io/os": "plan9"}), "PodScheduled") or {}
    assert unfit["reason"] == "Unschedulable"
    assert "didn't match Pod's node affinity/selector" in unfit["message"]
    gated = condition(_scheduled(schedulingGates=[{"name": "g"}]), "PodScheduled") or {}
    assert gated["reason"] == "SchedulingGated"


def test_pod_of_another_scheduler_or_already_bound_is_left_alone() -> None:
    assert decide(_pod(schedulerName="mine"), Surroundings(NODE), now=NOW) == ()
    assert decide(_pod(nodeName="remora"), Surroundings(NODE), now=NOW) == ()


def test_event_is_counted_and_expires() -> None:
    happening = Happening(
        "kubelet", "v1", "Pod", "", "web", "u", "spec.containers{main}", "Normal", "Started", "text", "remora"
    )
    first = event(happening, version="7", moment=NOW)
    assert first["metadata"]["namespace"] == "default"
    assert first["source"] == {"component": "kubelet", "host": "remora"}
    again = repeated(first, moment=NOW + timedelta(minutes=1))
    assert (again["count"], again["firstTimestamp"], again["lastTimestamp"]) == (
        2,
        "2026-05-01T12:00:00Z",
        "2026-05-01T12:01:00Z",
    )
    assert not is_expired(again, moment=NOW + timedelta(minutes=60))
    assert is_expired(again, moment=NOW + timedelta(minutes=62))
