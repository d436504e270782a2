"""What a pod's page says of its containers."""

from typing import Any

import msgspec
import pytest

from remora.dashboard.pod_page import container_rows, probe_words
from remora.dashboard.pod_state import Tone
from remora.dashboard.workload_objects import Pod, Probe


def pod(status: dict[str, Any], **container: Any) -> Pod:
    spec = {"containers": [{"name": "main", "image": "i", **container}], "initContainers": [{"name": "first"}]}
    told = {"containerStatuses": [{"name": "main", **status}]}
    return msgspec.convert({"metadata": {"name": "p"}, "spec": spec, "status": told}, Pod)


def test_a_container_that_ended_tells_how_and_how_before() -> None:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    last = {"terminated": {"exitCode": 3, "reason": "Error", "message": "no file\n", "finishedAt": "2026-01-01T00:00:00Z"}}
    first, main = container_rows(pod({"state": waiting, "lastState": last, "restartCount": 4}))
    assert (first.name, first.role, first.state, first.tone) == ("first", "init container", "Waiting", Tone.WAITING)
    assert (main.state, main.why, main.restarts, main.tone) == ("CrashLoopBackOff", "back-off 40s", 4, Tone.BAD)
    assert (main.last, main.last_end) == ("exit code 3 (Error): no file", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("state", "ready", "words", "tone"),
    [
        ({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, True, ("Running", "", "Started"), Tone.GOOD),
        ({"running": {}}, False, ("Running", "", "Started"), Tone.WAITING),
        (
            {"terminated": {"exitCode": 0, "reason": "Completed"}},
            False,
            ("Completed", "exit code 0 (Completed)", "Ended"),
            Tone.DONE,
        ),
        ({"terminated": {"exitCode": 137, "signal": 9}}, False, ("Signal:9", "signal 9", "Ended"), Tone.BAD),
        ({"waiting": {"reason": "ContainerCreating"}}, False, ("ContainerCreating", "", ""), Tone.WAITING),
    ],
)
def test_a_state_is_told_with_its_reason(state: Any, ready: bool, words: tuple[str, str, str], tone: Tone) -> None:
    row = container_rows(pod({"state": state, "ready": ready}))[1]
    assert ((row.state, row.why, row.since_word), row.tone) == (words, tone)


def test_ports_and_probes_are_told() -> None:
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "initialDelaySeconds": 5}
    ports = [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]
    row = container_rows(pod({}, ports=ports, readinessProbe=probe))[1]
    assert row.ports == "80/TCP http, 53/UDP"
    assert row.probes == (("Readiness probe", "http-get :http/ready every 10 s, after 5 s"),)


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"tcpSocket": {"port": 5432}, "timeoutSeconds": 2}, "tcp-socket :5432 every 10 s, within 2 s"),
        ({"exec": {"command": ["cat", "/x"]}, "failureThreshold": 1}, "exec cat /x every 10 s, 1 failures in a row"),
        ({"grpc": {"port": 9, "service": "s"}, "periodSeconds": 3}, "grpc :9 s every 3 s"),
        ({}, "probe every 10 s"),
    ],
)
def test_each_kind_of_probe_has_its_words(probe: Any, words: str) -> None:
    assert probe_words(msgspec.convert(probe, Probe)) == words
