"""Into pods and out of them: exec, attach, port-forward, cp, logs, top and proxies, with kubectl and with a Python client."""

import asyncio
import json
import os
import re
import signal
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType
from kubernetes_asyncio import client, config
from kubernetes_asyncio.stream import WsApiClient

from remora.cluster.kubelet.processes import find_identity
from tests.cluster.inside_pods import PATIENCE, Inside, inside_pods
from tests.cluster.small_cluster import pod, until
from tests.cluster.terminal import wait_for

pytestmark = pytest.mark.kubectl

BY_SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
AT_ONCE: dict[str, Any] = {"readinessProbe": {"exec": {"command": ["true"]}}}
TICKS = "echo begin; echo trouble >&2; while :; do echo tick; sleep 0.2; done"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """With a pod `web` that answers HTTP, and a pod `two` of containers `main` and `ticks`, which prints."""
    with inside_pods(tmp_path_factory.mktemp("inside")) as running:
        running.create(pod("web", labels={"app": "web"}, ports=[{"containerPort": 8080}]))
        two = pod("two", labels={"app": "two"}, image="shell", args=["-c", "echo ready; exec sleep 1000"], **AT_ONCE)
        two["spec"]["containers"].append({"name": "ticks", "image": "shell", "args": ["-c", TICKS], **AT_ONCE})
        running.create(two)
        for name in ("web", "two"):
            running.wait_ready(name)
        yield running


@asynccontextmanager
async def connected(inside: Inside, **options: Any) -> AsyncIterator[Any]:
    """A WebSocket of kubernetes_asyncio to a command in `two`."""
    configuration = type.__call__(client.Configuration)
    await config.load_kube_config(str(inside.kubeconfig), client_configuration=configuration)
    async with WsApiClient(configuration) as api:
        call = client.CoreV1Api(api).connect_get_namespaced_pod_exec
        wanted = {"container": "main", "stdin": True, "stdout": True, "stderr": True, "tty": False, **options}
        context = await call("two", "default", _preload_content=False, **wanted)
        async with context as socket:
            yield socket


async def said(socket: Any, *, until_text: str) -> str:
    """What comes on standard output, until it holds this."""
    text = ""
    async with asyncio.timeout(PATIENCE):
        while until_text not in text:
            message = await socket.receive_bytes()
            text += message[1:].decode() if message[0] == 1 else ""
    return text


@pytest.mark.parametrize("how", [{}, BY_SPDY], ids=["WebSocket", "SPDY"])
def test_a_command_has_its_outputs_and_its_exit_code(inside: Inside, how: dict[str, str]) -> None:
    command = ("two", "-c", "main", "--", "sh", "-c", "echo out; echo err >&2; echo $POD_NAME; exit 3")
    done = inside.kubectl("exec", *command, more=how)
    assert done.stdout == b"out\ntwo\n"
    assert done.stderr == b"err\ncommand terminated with exit code 3\n"
    assert done.returncode == 3


@pytest.mark.parametrize("how", [{}, BY_SPDY], ids=["WebSocket", "SPDY"])
def test_megabytes_go_in_and_come_out_as_they_were(inside: Inside, how: dict[str, str]) -> None:
    given = os.urandom(3_000_000)
    done = inside.kubectl("exec", "-i", "two", "-c", "main", "--", "cat", given=given, more=how)
    assert done.returncode == 0, done.stderr
    assert done.stdout == given


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("two", "-c", "main", "--", "no-such-program"), 'exec: "no-such-program": executable file not found in $PATH'),
        (("two", "-c", "other", "--", "true"), "container other is not valid for pod two"),
        (("nobody", "--", "true"), 'pods "nobody" not found'),
    ],
)
def test_what_cannot_be_executed_is_said_as_kubernetes_says_it(
    inside: Inside, arguments: tuple[str, ...], complaint: str
) -> None:
    done = inside.kubectl("exec", *arguments)
    assert done.returncode == 1
    assert complaint in done.stderr.decode()


def test_a_container_that_does_not_run_cannot_be_entered(inside: Inside) -> None:
    inside.create(pod("waiting", image="unknown:1"))
    inside.run(_until_waiting(inside))
    done = inside.kubectl("exec", "waiting", "--", "true")
    assert done.returncode == 1
    assert 'unable to upgrade connection: container not found ("main")' in done.stderr.decode()
    assert "phase is Pending" in done.stderr.decode() or "Internal error occurred" in done.stderr.decode()
    raw = inside.kubectl("get", "--raw", "/api/v1/namespaces/default/pods/two/exec?command=true&stdout=true&container=main")
    assert "Upgrade request required" in raw.stderr.decode()


async def _until_waiting(inside: Inside) -> None:
    await until(lambda: inside.cluster.container("waiting")["state"]["waiting"]["reason"])


def test_a_terminal_has_a_size_that_follows_the_client_s(inside: Inside) -> None:
    inside.run(_resize(inside))


async def _resize(inside: Inside) -> None:
    script = "trap 'stty size' WINCH; tty; echo $TERM; while :; do sleep 0.1; done"
    async with connected(inside, command=["sh", "-c", script], tty=True) as socket:
        begun = await said(socket, until_text="xterm")
        assert "/dev/pts/" in begun
        await socket.send_bytes(b"\x04" + json.dumps({"Width": 132, "Height": 43}).encode())
        await said(socket, until_text="43 132")
        await socket.send_bytes(b"\x00\x03")  # Ctrl-C ends the loop, as at any terminal
        async with asyncio.timeout(PATIENCE):
            async for message in socket:
                if message.data[0] == 3:
                    assert WsApiClient.parse_error_data(message.data[1:]) == 130


def test_nothing_is_said_to_a_client_that_does_not_read_yet(inside: Inside) -> None:
    inside.run(_read_late(inside))


async def _read_late(inside: Inside) -> None:
    """kubectl says that it does not know the stream, and throws away, whatever comes before it has made its streams."""
    configuration = type.__call__(client.Configuration)
    await config.load_kube_config(str(inside.kubeconfig), client_configuration=configuration)
    query = "container=main&command=echo&command=hello&stdout=true"
    url = f"{configuration.host}/api/v1/namespaces/default/pods/two/exec?{query}"
    async with (
        WsApiClient(configuration) as api,
        asyncio.timeout(PATIENCE),
        api.rest_client.pool_manager.ws_connect(url, autoping=False, protocols=["v5.channel.k8s.io"]) as socket,
    ):
        assert (await socket.receive()).type is WSMsgType.PING
        await socket.pong()
        assert [await socket.receive_bytes(), await socket.receive_bytes()] == [b"\1", b"\1hello\n"]


def test_who_leaves_takes_the_command_s_session_along_and_nothing_else(inside: Inside) -> None:
    inside.run(_leave(inside))


async def _leave(inside: Inside) -> None:
    async with connected(inside, command=["sh", "-c", "sleep 1000 & echo $! $$ .; wait"]) as socket:
        numbers = (await said(socket, until_text="."))[:-2].split()[:2]
    await until(lambda: all(find_identity(int(number)) is None for number in numbers))
    assert [status["restartCount"] for status in inside.cluster.pod("two")["status"]["containerStatuses"]] == [0, 0]


@pytest.mark.parametrize("how", [{}, BY_SPDY], ids=["WebSocket", "SPDY"])
def test_ports_are_forwarded(inside: Inside, how: dict[str, str]) -> None:
    forwarding = inside.start("port-forward", "pod/web", ":8080", more=how)
    try:
        assert forwarding.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{found[1].decode()}/"
        for _ in range(3):
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                assert answer.read() == b"web"
    finally:
        forwarding.terminate()
        forwarding.communicate(timeout=PATIENCE)


def test_a_port_that_nobody_listens_on_is_told(inside: Inside) -> None:
    forwarding = inside.start("port-forward", "pod/web", ":9")
    assert forwarding.stdout is not None
    found = re.search(rb"127\.0\.0\.1:(\d+)", forwarding.stdout.readline())
    assert found is not None
    with pytest.raises(OSError, match=r".*"):
        urllib.request.urlopen(f"http://127.0.0.1:{found[1].decode()}/", timeout=PATIENCE)
    forwarding.terminate()
    _, complaint = forwarding.communicate(timeout=PATIENCE)
    assert b"error forwarding port 9: connection refused" in complaint


def test_ports_are_forwarded_by_channels(inside: Inside) -> None:
    inside.run(_forward_by_channels(inside))


async def _forward_by_channels(inside: Inside) -> None:
    configuration = type.__call__(client.Configuration)
    await config.load_kube_config(str(inside.kubeconfig), client_configuration=configuration)
    async with WsApiClient(configuration) as api:
        call = client.CoreV1Api(api).connect_get_namespaced_pod_portforward
        context = await call("web", "default", ports="8080", _preload_content=False)
        async with context as socket:
            port = (8080).to_bytes(2, "little")
            async with asyncio.timeout(PATIENCE):
                assert {await socket.receive_bytes(), await socket.receive_bytes()} == {b"\0" + port, b"\1" + port}
                await socket.send_bytes(b"\0GET / HTTP/1.0\r\n\r\n")
                answer = b"".join([message.data[1:] async for message in socket])
    assert answer.endswith(b"web")


def test_files_are_copied_both_ways(inside: Inside, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "page").write_text("hello\n")
    inside.output("cp", str(source), f"two:{tmp_path}/inside", "-c", "main")
    assert (tmp_path / "inside" / "page").read_text() == "hello\n"
    inside.output("cp", f"two:{tmp_path}/inside/page", str(tmp_path / "back"), "-c", "main")
    assert (tmp_path / "back").read_text() == "hello\n"


def test_a_pod_is_run_with_the_client_s_standard_input(inside: Inside) -> None:
    run = ("run", "once", "-i", "--rm", "--restart=Never", "--image=shell", "--quiet")
    assert "read by once" in inside.output(*run, given=b"echo read by $POD_NAME\n")


def test_a_container_is_added_to_a_running_pod(inside: Inside) -> None:
    debug = ("debug", "web", "-i", "--image=shell", "--container=helper", "--profile=general", "--quiet")
    assert "beside web" in inside.output(*debug, given=b"echo beside $POD_NAME; exit 4\n")
    status = inside.run(_until_helped(inside))
    assert status["state"]["terminated"]["exitCode"] == 4
    assert "beside web" in inside.output("logs", "web", "-c", "helper")
    assert inside.output("get", "pod", "web", "-o", "jsonpath={.status.phase}") == "Running"


async def _until_helped(inside: Inside) -> Any:
    def helped() -> Any:
        status = inside.cluster.pod("web")["status"]["ephemeralContainerStatuses"][0]
        return status if "terminated" in status["state"] else None

    return await until(helped)


async def test_attached_to_a_terminal_a_prompt_is_seen_before_its_line_ends(inside: Inside) -> None:
    inside.start_pod(pod("shell", image="shell", stdin=True, tty=True, args=["-c", "read x; printf 'prompt> '; exec cat"]))
    attached = inside.start("attach", "-i", "shell")
    assert attached.stdin is not None
    assert attached.stdout is not None
    attached.stdin.write(b"\n\n\n")
    attached.stdin.flush()
    seen = b""
    async with asyncio.timeout(PATIENCE):
        while b"prompt> " not in seen:
            seen += await asyncio.to_thread(os.read, attached.stdout.fileno(), 100)
    attached.kill()
    attached.communicate()
    assert "prompt> " in inside.output("logs", "shell")


def test_logs_are_cut_as_asked(inside: Inside) -> None:
    assert inside.output("logs", "two", "-c", "main") == "ready\n"
    assert {"begin", "trouble"} < set(wait_for(lambda: _ticked(inside), "ticks").splitlines())
    ticks = ("logs", "two", "-c", "ticks")
    assert inside.output(*ticks, "--tail=1") == "tick\n"
    assert inside.output(*ticks, "--limit-bytes=3") in ("beg", "tro")
    assert inside.output(*ticks, "--since-time=2099-01-01T00:00:00Z") == ""
    assert "begin\n" in inside.output(*ticks, "--since=1h")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z tick\n", inside.output(*ticks, "--tail=1", "--timestamps"))
    prefixed = inside.output("logs", "-l", "app=two", "--all-containers", "--prefix", "--tail=1")
    assert set(prefixed.splitlines()) == {"[pod/two/main] ready", "[pod/two/ticks] tick"}
    assert "previous terminated container" in inside.kubectl(*ticks, "--previous").stderr.decode()
    assert (
        "maximum allowed concurrency is 1"
        in inside.kubectl("logs", "-f", "-l", "app", "--all-containers", "--max-log-requests=1").stderr.decode()
    )


def _ticked(inside: Inside) -> str:
    found = inside.output("logs", "two", "-c", "ticks")
    return found if "tick\n" in found else ""


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z", "at most one of `sinceTime` or `sinceSeconds` may be specified"),
    ],
)
def test_log_options_that_cannot_be_meant_are_refused(inside: Inside, query: str, complaint: str) -> None:
    done = inside.kubectl("get", "--raw", f"/api/v1/namespaces/default/pods/two/log?container=main&{query}")
    assert complaint in done.stderr.decode()


def test_who_follows_a_log_or_runs_a_command_hears_of_the_pod_s_end(inside: Inside) -> None:
    inside.start_pod(pod("brief", image="shell", args=["-c", "echo first; exec sleep 1000"], **AT_ONCE))
    following = inside.start("logs", "-f", "brief")
    assert following.stdout is not None
    assert following.stdout.readline() == b"first\n"
    running = inside.start("exec", "brief", "--", "sh", "-c", "echo runs; exec sleep 1000")
    assert running.stdout is not None
    assert running.stdout.readline() == b"runs\n"
    inside.output("delete", "pod", "brief", "--grace-period=1")
    assert following.communicate(timeout=PATIENCE) == (b"", b"")
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 137


def test_usage_is_shown_by_pod_container_and_node(inside: Inside) -> None:
    inside.start_pod(pod("busy", labels={"app": "busy"}, image="shell", args=["-c", "while :; do :; done"], **AT_ONCE))
    shown = inside.output("top", "pod", "-l", "app=busy", "--no-headers")
    name, cpu, memory = shown.split()
    assert (name, cpu.endswith("m"), memory.endswith("Mi")) == ("busy", True, True)
    assert int(cpu[:-1]) > 0
    rows = inside.output("top", "pod", "two", "--containers", "--no-headers").splitlines()
    assert sorted(row.split()[:2] for row in rows) == [["two", "main"], ["two", "ticks"]]
    assert inside.output("top", "node", "--no-headers").split()[0] == "remora"
    assert 'podmetrics.metrics.k8s.io "default/nobody" not found' in (
        inside.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/nobody").stderr.decode()
    )
    inside.output("delete", "pod", "busy", "--grace-period=0", "--force")


def test_kubectl_proxy_leads_to_pods(inside: Inside) -> None:
    proxy = inside.start("proxy", "--port=0")
    try:
        assert proxy.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+)", proxy.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{found[1].decode()}/api/v1/namespaces/default/pods/web:8080/proxy/"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert answer.read() == b"web"
    finally:
        proxy.send_signal(signal.SIGTERM)
        proxy.communicate(timeout=PATIENCE)
