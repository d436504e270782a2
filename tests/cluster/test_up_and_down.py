"""Starting and ending `remora up`: what a person meets on good days and on bad ones."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remora.cli.api import Api
from remora.cluster.cluster import Cluster, Parts
from remora.cluster.start import Ports, starting
from remora.core.errors import RemoraError
from tests.cluster.terminal import PATIENCE, Terminal, wait_for

pytestmark = pytest.mark.timeout(180)

TEST = ("--profile", "test")
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def api(terminal: Terminal) -> Api:
    return Api(terminal.home / "test" / "kubeconfig")


def runner(terminal: Terminal) -> int:
    return int(json.loads(terminal.remora("status", *TEST, "-o", "json").stdout)["pid"])


def up(terminal: Terminal, *arguments: str) -> None:
    done = terminal.remora("up", "--detach", *TEST, *arguments)
    log = terminal.home / "test" / "cluster.log"
    assert done.returncode == 0, done.stderr + log.read_text()


def own_pods(terminal: Terminal) -> list[dict[str, object]]:
    pods: list[dict[str, object]] = json.loads(terminal.remora("status", *TEST, "-o", "json").stdout)["pods"]
    return pods


def test_state_survives_down_and_up(terminal: Terminal) -> None:
    up(terminal)
    api(terminal).create(CONFIG_MAPS, CONFIG_MAP)
    down = terminal.remora("down", *TEST)
    assert (down.returncode, "its state stays" in down.stderr) == (0, True)
    assert terminal.remora("status", *TEST).returncode == 1
    up(terminal)
    assert api(terminal).read(f"{CONFIG_MAPS}/kept")["data"] == {"a": "b"}
    assert terminal.remora("delete", "--yes", *TEST).returncode == 0
    assert not (terminal.home / "test").exists()


def test_nothing_acknowledged_is_lost_by_a_kill_and_the_next_start_recovers(terminal: Terminal) -> None:
    up(terminal)
    before = {pod["name"] for pod in own_pods(terminal)}
    entry = json.loads(terminal.remora("status", *TEST, "-o", "json").stdout)["entry"]
    api(terminal).create(CONFIG_MAPS, CONFIG_MAP)
    pid = runner(terminal)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: terminal.remora("status", *TEST).returncode == 1, "end of the process")
    up(terminal)
    assert runner(terminal) != pid
    assert api(terminal).read(f"{CONFIG_MAPS}/kept")["data"] == {"a": "b"}
    ready = [pod for pod in own_pods(terminal) if pod["ready"] == "1/1"]
    assert ready, f"before: {before}"
    status = json.loads(terminal.remora("status", *TEST, "-o", "json").stdout)
    assert status["entry"] == entry
    assert answers_default_backend(entry)


def answers_default_backend(entry: str) -> bool:
    host, _, port = entry.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port or 80)), timeout=30) as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: nowhere\r\nConnection: close\r\n\r\n")
        received = b""
        while data := connection.recv(4096):
            received += data
    return b" 404 " in received and b"<title>404 Not Found</title>" in received


def test_a_second_up_of_the_same_profile_says_who_runs_it(terminal: Terminal) -> None:
    with ThreadPoolExecutor(2) as both:
        attempts = list(both.map(lambda _: terminal.remora("up", "--detach", "--no-wait", *TEST), range(2)))
    assert sorted(attempt.returncode for attempt in attempts) == [0, 2]
    refused = next(attempt for attempt in attempts if attempt.returncode == 2)
    for again in (refused, terminal.remora("up", *TEST), terminal.remora("up", "--detach", *TEST)):
        assert again.returncode == 2
        assert f"runs already (pid {runner(terminal)})" in again.stderr
        assert "`remora down --profile test`" in again.stderr


def test_a_port_in_use_is_reported_with_its_holder(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = terminal.remora("up", *TEST, f"--http-port={port}")
    assert refused.returncode == 2
    assert f"127.0.0.1:{port} is in use by" in refused.stderr
    assert f"(pid {os.getpid()})" in refused.stderr
    assert "choose another port with --http-port" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_a_cluster_whose_folder_is_removed_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMORA_HOME", str(tmp_path))

    async def remove(_: Cluster) -> None:
        shutil.rmtree(tmp_path / "gone")

    with starting("gone", Ports()) as start:
        cluster = Cluster(start, parts=Parts(node=False, services=False, ingress=False))
        async with asyncio.timeout(60):
            await cluster.run(asyncio.Event(), remove)


def test_what_the_background_could_not_do_is_one_line(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        refused = terminal.remora("up", "--detach", *TEST, f"--http-port={server.getsockname()[1]}")
    assert refused.returncode == 2
    told = [line for line in refused.stderr.splitlines() if not line.startswith("starting profile")]
    assert len(told) == 1
    assert told[0].startswith("remora: 127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_order(terminal: Terminal, number: signal.Signals) -> None:
    with terminal.start("up", *TEST) as process:
        wait_for(lambda: is_ready(terminal), "API server")
        process.send_signal(number)
        _, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk
    assert "Traceback" not in talk
    assert "export KUBECONFIG=" in talk or "stopping" in talk
    assert not left_behind(terminal)


def test_a_pod_that_does_not_end_is_waited_for_aloud_and_then_killed(terminal: Terminal) -> None:
    up(terminal, "--no-wait")
    deaf = "trap '' TERM; touch \"$HEARD\"; while :; do sleep 0.2; done"
    terminal.remora("image", "add", *TEST, "deaf", "--env", f"HEARD={terminal.home / 'heard'}", "--", "sh", "-c", deaf)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "deaf"}}
    api(terminal).create("/api/v1/namespaces/default/pods", {**pod, "spec": {"containers": [{"name": "c", "image": "deaf"}]}})
    wait_for((terminal.home / "heard").exists, "the pod's process")
    done = terminal.remora("delete", "--yes", *TEST)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["waiting for the pods of profile test to end", "Profile test is removed."]
    assert not left_behind(terminal)


def is_ready(terminal: Terminal) -> bool:
    try:
        return api(terminal).is_ready()
    except RemoraError:
        return False


def left_behind(terminal: Terminal) -> list[str]:
    """Processes that still know this home, after a moment to end."""
    deadline = time.monotonic() + PATIENCE
    while True:
        listed = subprocess.run(["ps", "axeww", "-o", "pid,command"], capture_output=True, text=True, check=True).stdout
        found = [line for line in listed.splitlines() if str(terminal.home) in line and "ps axeww" not in line]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_profiles_run_side_by_side(terminal: Terminal) -> None:
    up(terminal, "--no-wait")
    other = terminal.remora("up", "--detach", "--profile", "other", "--no-wait")
    assert other.returncode == 0, other.stderr
    listed = {row["name"]: row["running"] for row in json.loads(terminal.remora("profiles", "-o", "json").stdout)}
    assert listed == {"test": True, "other": True}
