"""When containers are started again, what they say when they end, and what health checks by gRPC mean."""

import signal
from pathlib import Path

import pytest

from remora.cluster.kubelet.backoff import is_to_restart
from remora.cluster.kubelet.grpcprobe import Answer, judge, parse_response, render_request
from remora.cluster.kubelet.loglines import Splitter
from remora.cluster.kubelet.termination import find_signal, read_message
from remora.cluster.objects import Object

_RULE = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}


@pytest.mark.parametrize(
    ("spec", "policy", "is_init", "codes"),
    [
        ({}, "Always", False, {0, 1, 42}),
        ({}, "OnFailure", False, {1, 42}),
        ({}, "Never", False, set()),
        ({}, "Always", True, {1, 42}),
        ({}, "OnFailure", True, {1, 42}),
        ({}, "Never", True, set()),
        # A sidecar, whatever its pod's policy.
        ({"restartPolicy": "Always"}, "Never", True, {0, 1, 42}),
        ({"restartPolicy": "OnFailure"}, "Never", False, {1, 42}),
        ({"restartPolicy": "Never"}, "Always", False, set()),
        ({"restartPolicy": "Never", "restartPolicyRules": [_RULE]}, "Always", False, {42}),
    ],
)
def test_policy_decides_who_is_started_again(spec: Object, policy: str, is_init: bool, codes: set[int]) -> None:
    again = {code for code in (0, 1, 42) if is_to_restart(spec, policy, is_init=is_init, exit_code=code)}
    assert again == codes


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (None, signal.SIGTERM),
        ("SIGUSR1", signal.SIGUSR1),
        ("quit", signal.SIGQUIT),
        ("9", signal.SIGKILL),
        ("SIGNONE", signal.SIGTERM),
        ("999", signal.SIGTERM),
    ],
)
def test_stop_signal_is_found_by_name_or_number(name: str | None, wanted: signal.Signals) -> None:
    assert find_signal(name) == wanted


def _message(tmp_path: Path, written: bytes, *, policy: str = "File", exit_code: int = 1) -> str:
    (tmp_path / "message").write_bytes(written)
    lines = b"".join(b"line %d\n" % number for number in range(100))
    (tmp_path / "log").write_bytes(b"".join(Splitter("stdout").feed(lines, b"2026-05-01T12:00:00.000000000Z")))
    spec = {"terminationMessagePolicy": policy}
    return read_message(tmp_path / "message", tmp_path / "log", spec, exit_code=exit_code)


def test_last_words_are_those_of_the_file_or_if_wanted_the_end_of_the_log(tmp_path: Path) -> None:
    assert _message(tmp_path, b"why") == "why"
    assert _message(tmp_path, b"x" * 5000) == "x" * 4096
    assert _message(tmp_path, b"") == ""
    assert _message(tmp_path, b"why", policy="FallbackToLogsOnError") == "why"
    assert _message(tmp_path, b"", policy="FallbackToLogsOnError", exit_code=0) == ""
    from_log = _message(tmp_path, b"", policy="FallbackToLogsOnError").splitlines()
    assert (len(from_log), from_log[0], from_log[-1]) == (80, "line 20", "line 99")
    assert read_message(tmp_path / "no", tmp_path / "no", {}, exit_code=1) == ""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(b"\0\0\0\0\2\x08\1", "0"), ""),
        (Answer(b"\0\0\0\0\2\x08\2", "0"), 'service unhealthy (responded with "NOT_SERVING")'),
        (Answer(b"\0\0\0\0\0", "0"), 'service unhealthy (responded with "UNKNOWN")'),
        (Answer(b"", "12"), "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"),
        (Answer(b"", "5", "unknown service"), "error: health rpc failed: code = 5 desc = unknown service"),
        (Answer(), "error: health rpc failed: code = Unknown desc = "),
    ],
)
def test_only_serving_is_healthy(answer: Answer, message: str) -> None:
    assert (judge(answer).is_success, judge(answer).message) == (not message, message)


def test_service_is_named_in_the_question() -> None:
    assert render_request("") == b"\0\0\0\0\0"
    assert render_request("web") == b"\0\0\0\0\5\x0a\3web"
    assert render_request("x" * 200)[5:8] == b"\x0a\xc8\x01"
    assert parse_response(b"\0\0\0\0\2\x08\7") == "7"
