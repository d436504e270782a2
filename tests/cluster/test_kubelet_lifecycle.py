"""What pods of every kind go through from their beginning to their end, in one cluster and seen with kubectl where it shows."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from remora.cluster.objects import Object, condition, is_ready
from tests.cluster.inside_pods import PATIENCE, Inside, inside_pods
from tests.cluster.small_cluster import pod, until

T = TypeVar("T")
pytestmark = pytest.mark.kubectl

NOTES = "import os, pathlib, signal, sys, time\ndef note(text): open(os.environ['NOTES'], 'a').write(text + ' ')\n"
UNTIL_TERM = NOTES + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(note('end-' + sys.argv[1])))\n"
UNTIL_TERM += "note('begin-' + sys.argv[1])\nwhile True: time.sleep(600)"
GRPC = """
import os, socket, h2.connection, h2.config, h2.events
listener = socket.create_server((os.environ["HOST"], 50051))
while True:
    client, _ = listener.accept()
    talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    talk.initiate_connection()
    client.sendall(talk.data_to_send())
    while data := client.recv(65536):
        for event in talk.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                talk.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                status = 1 if os.path.exists(os.environ["FLAG"]) else 2
                talk.send_data(1, bytes([0, 0, 0, 0, 2, 8, status]))
                talk.send_headers(1, [("grpc-status", "0")], end_stream=True)
        client.sendall(talk.data_to_send())
    client.close()
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside_pods(tmp_path_factory.mktemp("lifecycle")) as made:
        yield made


def _wait(inside: Inside, condition: Callable[[], T]) -> T:
    async def wait() -> T:
        return await until(condition)

    return inside.run(wait())


def _python(name: str, script: str, *arguments: str, spec: Object | None = None, **container: Any) -> Object:
    return pod(name, image="python", args=["-c", script, *arguments], spec=spec or {}, **container)


def _status(inside: Inside, name: str) -> Object:
    return dict(inside.cluster.pod(name).get("status") or {})


def _container(inside: Inside, name: str) -> Object:
    return inside.cluster.container(name)


def _events(inside: Inside, name: str, reason: str) -> list[str]:
    return [event["message"] for event in inside.cluster.events_of(name) if event["reason"] == reason]


def _shown(inside: Inside, name: str) -> str:
    """What `kubectl get pod` says in its column STATUS."""
    return inside.output("get", "pod", name, "--no-headers").split()[2]


def _env(**values: Path | str) -> list[Object]:
    return [{"name": name, "value": str(value)} for name, value in values.items()]


def _apply(inside: Inside, obj: Object) -> None:
    inside.output("apply", "-f", "-", given=json.dumps(obj).encode())


def _finished(inside: Inside, name: str) -> Object:
    """The end of the pod's container."""
    _wait(inside, lambda: _status(inside, name)["phase"] in ("Succeeded", "Failed"))
    return dict(_container(inside, name)["state"]["terminated"])


def test_init_containers_run_one_after_the_other_and_kubectl_counts_them(inside: Inside, tmp_path: Path) -> None:
    flag, notes = tmp_path / "flag", tmp_path / "notes"
    wait = NOTES + "note('first')\nwhile not os.path.exists(os.environ['FLAG']): time.sleep(0.01)"
    env = _env(FLAG=flag, NOTES=notes)
    init = [
        {"name": "first", "image": "python", "args": ["-c", wait], "env": env},
        {"name": "second", "image": "python", "args": ["-c", NOTES + "note('second')"], "env": env},
    ]
    spec = {"initContainers": init, "restartPolicy": "Never"}
    inside.create(_python("steps", NOTES + "note('main')", spec=spec, env=env))
    _wait(inside, notes.exists)
    assert _shown(inside, "steps") == "Init:0/2"
    found = condition(inside.cluster.pod("steps"), "Initialized") or {}
    assert found["message"] == "containers with incomplete status: [first second]"
    assert _container(inside, "steps")["state"] == {"waiting": {"reason": "PodInitializing"}}
    flag.touch()
    assert _finished(inside, "steps")["reason"] == "Completed"
    assert notes.read_text() == "first second main "


def test_init_container_that_fails_is_the_pods_end_or_is_tried_again(inside: Inside) -> None:
    init = [{"name": "bad", "image": "python", "args": ["-c", "raise SystemExit(3)"]}]
    for name, policy in (("never", "Never"), ("again", "Always")):
        inside.create(_python(name, "", spec={"initContainers": init, "restartPolicy": policy}))
    _wait(inside, lambda: _status(inside, "never")["phase"] == "Failed")
    assert _shown(inside, "never") == "Init:Error"
    again = _wait(inside, lambda: _status(inside, "again")["initContainerStatuses"][0]["state"]["waiting"])
    assert again["reason"] == "CrashLoopBackOff"
    assert again["message"].startswith("back-off 10s restarting failed container=bad pod=again_default(")
    assert _shown(inside, "again") == "Init:CrashLoopBackOff"
    inside.output("delete", "pod", "again", "--wait=false")


def test_sidecars_begin_before_and_end_after_the_others_in_turn(inside: Inside, tmp_path: Path) -> None:
    env = _env(NOTES=tmp_path / "notes")
    probe = {"exec": {"command": ["grep", "-q", "begin-one", str(tmp_path / "notes")]}, "periodSeconds": 1}
    sidecars: list[Object] = [
        {"name": name, "image": "python", "args": ["-c", UNTIL_TERM, name], "restartPolicy": "Always", "env": env}
        for name in ("one", "two")
    ]
    sidecars[0]["startupProbe"] = probe
    spec = {"initContainers": sidecars, "terminationGracePeriodSeconds": 30}
    inside.start_pod(_python("aided", UNTIL_TERM, "main", spec=spec, env=env, readinessProbe={"exec": {"command": ["true"]}}))
    _wait(inside, lambda: "begin-main" in (tmp_path / "notes").read_text() and "begin-two" in (tmp_path / "notes").read_text())
    assert inside.output("get", "pod", "aided", "--no-headers").split()[1:3] == ["3/3", "Running"]
    inside.output("delete", "pod", "aided")
    notes = (tmp_path / "notes").read_text().split()
    assert notes[0] == "begin-one"
    assert notes[3:] == ["end-main", "end-two", "end-one"]


def test_volumes_are_folders_whose_files_change_at_once(inside: Inside) -> None:
    metadata = {"name": "look", "namespace": "default"}
    _apply(inside, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": "blue", "size": "1"}})
    _apply(inside, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": "s3cret"}})
    sources = [
        {"secret": {"name": "look", "items": [{"key": "key", "path": "keys/main", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
    ]
    spec = {
        "volumes": [
            {"name": "look", "configMap": {"name": "look"}},
            {"name": "all", "projected": {"sources": sources, "defaultMode": 0o600}},
            {"name": "scratch", "emptyDir": {}},
        ]
    }
    mounts = [
        {"name": "look", "mountPath": "/etc/look"},
        {"name": "all", "mountPath": "/all"},
        {"name": "scratch", "mountPath": "/own", "subPathExpr": "of-$(POD_NAME)"},
    ]
    script = "import os, time; print(os.environ['REMORA_VOLUMES'], flush=True)\nwhile True: time.sleep(600)"
    inside.create(_python("reader", script, spec=spec, volumeMounts=mounts))
    _wait(inside, lambda: _container(inside, "reader")["state"]["running"])
    folders = {path: Path(found) for path, found in json.loads(_log(inside, "reader")).items()}
    look, everything = folders["/etc/look"], folders["/all"]
    assert folders["/own"].is_dir()
    assert folders["/own"].name == "of-reader"
    assert ((everything / "keys/main").read_text(), (everything / "keys/main").stat().st_mode & 0o777) == ("s3cret", 0o400)
    assert (everything / "token").stat().st_mode & 0o777 == 0o600
    assert (look / "colour").readlink() == Path("..data/colour")
    inside.output("patch", "configmap", "look", "-p", '{"data": {"colour": "red", "size": null}}')
    _wait(inside, lambda: (look / "colour").read_text() == "red")
    assert not (look / "size").exists()
    inside.output("label", "pod", "reader", "tier=front")
    _wait(inside, lambda: 'tier="front"' in (everything / "labels").read_text())
    inside.output("delete", "pod", "reader", "--wait=false")


def _log(inside: Inside, name: str) -> str:
    async def read() -> str:
        text = ""
        async with asyncio.timeout(PATIENCE):
            while not text:
                await asyncio.sleep(0.02)
                text = await inside.cluster.log(name)
        return text

    return inside.run(read())


def test_pod_waits_for_its_volumes_and_says_what_is_missing(inside: Inside) -> None:
    spec = {"volumes": [{"name": "late", "secret": {"secretName": "late"}}], "restartPolicy": "Never"}
    inside.create(_python("patient", "", spec=spec))
    told = _wait(inside, lambda: _events(inside, "patient", "FailedMount"))
    assert told == ['MountVolume.SetUp failed for volume "late" : secret "late" not found']
    assert _shown(inside, "patient") == "ContainerCreating"
    inside.output("create", "secret", "generic", "late")
    assert _finished(inside, "patient")["exitCode"] == 0


def test_container_without_its_configuration_waits_for_it(inside: Inside) -> None:
    _apply(inside, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "half", "namespace": "default"}})
    env = [{"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "half", "key": "colour"}}}]
    inside.create(_python("unset", "import os; print(os.environ['COLOUR'])", env=env, spec={"restartPolicy": "Never"}))
    told = _wait(inside, lambda: _container(inside, "unset")["state"]["waiting"]["message"])
    assert told == "couldn't find key colour in ConfigMap default/half"
    assert _shown(inside, "unset") == "CreateContainerConfigError"
    inside.output("patch", "configmap", "half", "-p", '{"data": {"colour": "blue"}}')
    assert _finished(inside, "unset")["exitCode"] == 0
    assert _log(inside, "unset") == "blue\n"


def test_container_runs_when_its_post_start_hook_is_done(inside: Inside, tmp_path: Path) -> None:
    hook = {"exec": {"command": ["sh", "-c", f"while ! test -e {tmp_path / 'flag'}; do sleep 0.05; done"]}}
    inside.create(pod("slow", lifecycle={"postStart": hook}))
    _wait(inside, lambda: _events(inside, "slow", "Started"))
    assert "waiting" in _container(inside, "slow")["state"]
    (tmp_path / "flag").touch()
    inside.wait_ready("slow")


def test_failing_post_start_hook_ends_the_container(inside: Inside) -> None:
    inside.create(pod("hooked", lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo secret; exit 1"]}}}))
    waiting = _wait(inside, lambda: _container(inside, "hooked")["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    assert waiting
    _wait(inside, lambda: _events(inside, "hooked", "FailedPostStartHook") == ["PostStartHook failed"])
    assert "FailedPostStartHook" in _wait(inside, lambda: _events(inside, "hooked", "Killing"))
    inside.output("delete", "pod", "hooked", "--wait=false")


@pytest.mark.parametrize(
    ("policy", "script", "message"),
    [
        ("File", "import os; open(os.environ['REMORA_TERMINATION_LOG'], 'w').write('why'); raise SystemExit(3)", "why"),
        ("FallbackToLogsOnError", "print('last words'); raise SystemExit(3)", "last words\n"),
    ],
)
def test_ended_container_leaves_a_message(policy: str, script: str, message: str, inside: Inside) -> None:
    name = f"words-{policy.lower()}"
    inside.create(_python(name, script, terminationMessagePolicy=policy, spec={"restartPolicy": "Never"}))
    ended = _finished(inside, name)
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", message)


def test_container_that_uses_more_memory_than_its_limit_is_killed(inside: Inside) -> None:
    script = "import time; kept = bytearray(os.urandom(1) * 80_000_000) if (os := __import__('os')) else 0; time.sleep(600)"
    limits = {"limits": {"memory": "40Mi"}}
    inside.create(_python("greedy", script, resources=limits, spec={"restartPolicy": "Never"}))
    ended = _finished(inside, "greedy")
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert _shown(inside, "greedy") == "OOMKilled"


def test_pod_that_is_active_for_too_long_fails(inside: Inside) -> None:
    spec = {"activeDeadlineSeconds": 1, "terminationGracePeriodSeconds": 1}
    inside.create(pod("endless", spec=spec))
    _wait(inside, lambda: _status(inside, "endless")["phase"] == "Failed")
    found = _status(inside, "endless")
    assert (found["reason"], found["message"]) == (
        "DeadlineExceeded",
        "Pod was active on the node longer than the specified deadline",
    )
    assert (condition(inside.cluster.pod("endless"), "Ready") or {})["reason"] == "PodFailed"
    assert _container(inside, "endless")["restartCount"] == 0


def test_readiness_gate_opens_when_its_condition_is_written(inside: Inside) -> None:
    inside.create(pod("gated", spec={"readinessGates": [{"conditionType": "example.com/go"}]}))
    found = _wait(inside, lambda: (condition(inside.cluster.pod("gated"), "ContainersReady") or {})["status"] == "True")
    assert found
    assert (condition(inside.cluster.pod("gated"), "Ready") or {})["reason"] == "ReadinessGatesNotReady"
    go = {"status": {"conditions": [{"type": "example.com/go", "status": "True"}]}}
    inside.output("patch", "pod", "gated", "--subresource=status", "--type=strategic", "-p", json.dumps(go))
    inside.wait_ready("gated")


def test_container_that_is_not_alive_is_asked_to_end_as_it_wants(inside: Inside, tmp_path: Path) -> None:
    script = NOTES + "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(note('USR1')))\nwhile True: time.sleep(600)"
    alive = {"exec": {"command": ["test", "!", "-e", str(tmp_path / "sick")]}, "periodSeconds": 1, "failureThreshold": 1}
    stop = {"exec": {"command": ["sh", "-c", f"printf 'hook ' >> {tmp_path / 'notes'}; rm {tmp_path / 'sick'}"]}}
    lifecycle = {"preStop": stop, "stopSignal": "SIGUSR1"}
    env = _env(NOTES=tmp_path / "notes")
    probe = {"exec": {"command": ["true"]}}
    spec = {"terminationGracePeriodSeconds": 30}
    inside.start_pod(
        _python("sick", script, livenessProbe=alive, readinessProbe=probe, lifecycle=lifecycle, env=env, spec=spec)
    )
    (tmp_path / "sick").touch()
    _wait(inside, lambda: _container(inside, "sick")["restartCount"] == 1)
    assert (tmp_path / "notes").read_text() == "hook USR1 "
    assert "Container main failed liveness probe, will be restarted" in _events(inside, "sick", "Killing")


def test_grpc_probe_decides_about_readiness(inside: Inside, tmp_path: Path) -> None:
    probe = {"grpc": {"port": 50051}, "periodSeconds": 1}
    inside.create(pod("grpc", command=[sys.executable, "-c", GRPC], readinessProbe=probe, env=_env(FLAG=tmp_path / "flag")))
    unwell = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
    _wait(inside, lambda: unwell in _events(inside, "grpc", "Unhealthy"))
    (tmp_path / "flag").touch()
    inside.wait_ready("grpc")


def test_cordoned_node_takes_no_pod_until_it_is_uncordoned(inside: Inside) -> None:
    inside.output("cordon", "remora")
    inside.create(pod("shut-out"))
    told = _wait(inside, lambda: _events(inside, "shut-out", "FailedScheduling"))
    assert told[0].startswith("0/1 nodes are available: 1 node(s) ")
    assert _shown(inside, "shut-out") == "Pending"
    _wait(inside, lambda: _taints(inside) == ["node.kubernetes.io/unschedulable"])
    inside.output("uncordon", "remora")
    inside.wait_ready("shut-out")
    _wait(inside, lambda: not _taints(inside))


def test_taint_that_lets_nobody_run_evicts_who_does_not_tolerate_it(inside: Inside) -> None:
    tolerant = {"tolerations": [{"key": "out", "operator": "Exists"}]}
    # Those that other tests left would go, too, and take their time.
    inside.output("delete", "pods", "--all", "--grace-period=1")
    inside.start_pod(pod("stays", spec=tolerant))
    inside.start_pod(pod("goes"))
    inside.output("taint", "node", "remora", "out=now:NoExecute")
    _wait(inside, lambda: [found["metadata"]["name"] for found in inside.cluster.pods()] == ["stays"])
    assert _wait(inside, lambda: _events(inside, "goes", "TaintManagerEviction")) == ["Marking for deletion Pod default/goes"]
    inside.output("taint", "node", "remora", "out-")
    assert is_ready(inside.cluster.pod("stays"))


def _taints(inside: Inside) -> list[str]:
    node = inside.cluster.registry.find("nodes", "", "remora") or {}
    return [taint["key"] for taint in node["spec"].get("taints") or ()]


def test_pod_begins_when_another_makes_room(inside: Inside) -> None:
    cpu = int((inside.cluster.registry.find("nodes", "", "remora") or {})["status"]["allocatable"]["cpu"]) * 1000
    for name, wanted in (("first", cpu - 100), ("second", 200), ("huge", cpu + 1)):
        resources = {"requests": {"cpu": f"{wanted}m"}}
        inside.create(pod(name, resources=resources))
        _wait(inside, lambda name=name: condition(inside.cluster.pod(name), "PodScheduled"))  # type: ignore[misc]
    for name in ("second", "huge"):
        assert "1 Insufficient cpu" in (condition(inside.cluster.pod(name), "PodScheduled") or {})["message"]
    inside.output("delete", "pod", "first")
    inside.wait_ready("second")
    assert not is_ready(inside.cluster.pod("huge"))
