"""Pods as real processes."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from remora.cluster.kubelet.container import Container
from remora.cluster.kubelet.images import Image
from remora.cluster.kubelet.probes import probe_tcp
from remora.cluster.kubelet.processes import Process, find_identity
from remora.cluster.objects import condition, is_ready, with_metadata
from tests.cluster.small_cluster import SERVER, pod, small_cluster, until


async def test_pod_runs_and_becomes_ready_when_it_listens(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        status = cluster.pod("web")["status"]
        assert status["phase"] == "Running"
        reader, writer = await asyncio.open_connection(status["podIP"], 8080)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"web")
        writer.close()
        await writer.wait_closed()
        await until(lambda: {"Scheduled", "Pulled", "Created", "Started"} <= {e["reason"] for e in cluster.events_of("web")})
        assert await cluster.log("web") == "listening\n"
        await cluster.registry.delete("pods", "default", "web")
        await until(lambda: not cluster.pods())


async def test_args_are_appended_to_the_image_and_expanded(tmp_path: Path) -> None:
    spec = pod(
        "echo", image="python", args=["-c", "import sys; print(sys.argv[1:])", "$(POD_NAME)", "$$(POD_NAME)", "$(NOBODY)"]
    )
    spec["spec"]["restartPolicy"] = "Never"
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.pod("echo")["status"]["phase"] == "Succeeded")
        assert await cluster.log("echo") == "['echo', '$(POD_NAME)', '$(NOBODY)']\n"
        assert cluster.container("echo")["state"]["terminated"]["reason"] == "Completed"


async def test_unknown_image_says_what_helps_and_starts_when_it_is_added(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("new", image="docker.io/library/new:latest"))
        await until(lambda: cluster.container("new")["state"]["waiting"]["reason"] == "ErrImagePull")
        waiting = cluster.container("new")["state"]["waiting"]
        assert "remora image add --profile small docker.io/library/new:latest -- COMMAND" in waiting["message"]
        await until(lambda: cluster.container("new")["state"]["waiting"]["reason"] == "ImagePullBackOff")
        cluster.images.add(Image(name="new", command=(sys.executable, "-c", SERVER)))
        await until(lambda: is_ready(cluster.pod("new")))
        assert {"Failed", "BackOff"} <= {event["reason"] for event in cluster.events_of("new")}


async def test_crashing_container_is_restarted_at_once_and_then_backs_off(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("bad", image="python", args=["-c", "print('no'); raise SystemExit(3)"]))
        await until(lambda: cluster.container("bad")["state"]["waiting"]["reason"] == "CrashLoopBackOff")
        status = cluster.container("bad")
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["exitCode"] == 3
        assert "back-off 10s restarting failed container=main pod=bad_default(" in status["state"]["waiting"]["message"]
        assert await cluster.log("bad", previous=True) == "no\n"
        await cluster.registry.delete("pods", "default", "bad")
        await until(lambda: not cluster.pods())


async def test_command_that_does_not_exist_is_a_start_error(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("none", command=["no-such-program"]))
        last = await until(lambda: cluster.container("none")["lastState"]["terminated"])
        assert (last["reason"], last["exitCode"]) == ("StartError", 128)
        assert "executable file not found" in last["message"]


async def test_failing_liveness_probe_restarts_the_container(tmp_path: Path) -> None:
    fails_once = "test ! -e $FLAG || { rm $FLAG; exit 1; }"
    probe = {"exec": {"command": ["sh", "-c", fails_once]}, "periodSeconds": 1, "failureThreshold": 1}
    async with small_cluster(tmp_path) as cluster:
        env = [{"name": "FLAG", "value": str(tmp_path / "flag")}]
        await cluster.registry.create("pods", pod("sick", livenessProbe=probe, env=env))
        await until(lambda: is_ready(cluster.pod("sick")))
        (tmp_path / "flag").touch()
        await until(lambda: cluster.container("sick")["restartCount"] == 1 and is_ready(cluster.pod("sick")))
        await until(lambda: {"Unhealthy", "Killing"} <= {event["reason"] for event in cluster.events_of("sick")})


async def test_readiness_probe_decides_and_may_change_its_mind(tmp_path: Path) -> None:
    probe = {"exec": {"command": ["test", "-e", str(tmp_path / "ready")]}, "periodSeconds": 1, "failureThreshold": 1}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("slow", readinessProbe=probe))
        await until(lambda: cluster.pod("slow")["status"]["phase"] == "Running")
        assert not is_ready(cluster.pod("slow"))
        (tmp_path / "ready").touch()
        await until(lambda: is_ready(cluster.pod("slow")))
        (tmp_path / "ready").unlink()
        await until(lambda: not is_ready(cluster.pod("slow")))


async def test_http_probe_reaches_a_named_port(tmp_path: Path) -> None:
    ports = [{"name": "web", "containerPort": 9000}]
    probe = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("probed", ports=ports, readinessProbe=probe, startupProbe=probe))
        await until(lambda: is_ready(cluster.pod("probed")))


async def test_process_that_ignores_sigterm_is_killed_with_its_children_after_the_grace_period(tmp_path: Path) -> None:
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True);"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    async with small_cluster(tmp_path) as cluster:
        spec = pod("deaf", image="python", args=["-c", script])
        spec["spec"]["terminationGracePeriodSeconds"] = 1
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.pod("deaf")["status"]["phase"] == "Running")
        async with asyncio.timeout(30):
            while not (text := await cluster.log("deaf")):
                await asyncio.sleep(0.01)
        assert find_identity(int(text)) is not None
        await cluster.registry.delete("pods", "default", "deaf")
        await until(lambda: not cluster.pods())
        await until(lambda: find_identity(int(text)) is None)


async def test_forced_deletion_leaves_no_process(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("gone"))
        await until(lambda: is_ready(cluster.pod("gone")))
        address = cluster.pod("gone")["status"]["podIP"]
        await cluster.registry.delete("pods", "default", "gone", grace_period_seconds=0)
        assert not cluster.pods()
        await until(lambda: not any((tmp_path / "pods").iterdir()))
        assert not (await probe_tcp(address, 8080, timeout=1)).is_success


async def test_init_containers_run_first_and_share_volumes(tmp_path: Path) -> None:
    mount: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    init = {"name": "init", "image": "python", "args": ["-c", WRITE, "$(REMORA_VOLUME_SHARED)"], **mount}
    spec = pod("two", image="python", args=["-c", READ], **mount)
    spec["spec"] |= {"initContainers": [init], "volumes": [{"name": "shared", "emptyDir": {}}], "restartPolicy": "Never"}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.pod("two")["status"]["phase"] == "Succeeded")
        assert await cluster.log("two") == "from init\n"
        assert cluster.pod("two")["status"]["initContainerStatuses"][0]["ready"]


WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1], 'file').write_text('from init')"
READ = "import json, os; print(open(json.loads(os.environ['REMORA_VOLUMES'])['/shared'] + '/file').read())"


async def test_pod_waits_for_its_config_map_and_has_its_service_account(tmp_path: Path) -> None:
    script = (
        "import glob, os; files = glob.glob('*', root_dir=os.environ['REMORA_SERVICE_ACCOUNT_DIR']);"
        "print(os.environ['COLOUR'], len(files))"
    )
    reference = {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}}
    spec = pod("late", image="python", args=["-c", script], env=[reference])
    spec["spec"]["restartPolicy"] = "Never"
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        waiting = await until(lambda: cluster.container("late")["state"]["waiting"]["message"])
        assert waiting == 'configmap "settings" not found'
        metadata = {"name": "settings", "namespace": "default"}
        await cluster.registry.create("configmaps", {"metadata": metadata, "data": {"colour": "blue"}})
        await until(lambda: cluster.pod("late")["status"]["phase"] == "Succeeded")
        assert await cluster.log("late") == "blue 3\n"


async def test_logs_follow_until_the_container_ends(tmp_path: Path) -> None:
    script = "import sys, time\nfor n in range(5): print(n, flush=True); time.sleep(0.05)\nsys.stderr.write('end')"
    spec = pod("talk", image="python", args=["-c", script])
    spec["spec"]["restartPolicy"] = "Never"
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.container("talk")["state"]["running"])
        assert await cluster.log("talk", follow=True) == "0\n1\n2\n3\n4\nend"
        assert await cluster.log("talk", tail_lines=2) == "4\nend"
        assert (await cluster.log("talk", timestamps=True, limit_bytes=20)).startswith("20")


async def test_pod_with_a_node_selector_that_nobody_has_stays_pending(tmp_path: Path) -> None:
    spec = pod("picky")
    spec["spec"]["nodeSelector"] = {"disk": "fast"}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: (condition(cluster.pod("picky"), "PodScheduled") or {})["reason"] == "Unschedulable")
        node = cluster.registry.find("nodes", "", "remora")
        assert node is not None
        await cluster.registry.update("nodes", with_metadata(node, labels=node["metadata"]["labels"] | {"disk": "fast"}))
        await until(lambda: is_ready(cluster.pod("picky")))


async def test_news_of_a_pod_that_is_gone_already_begin_nothing(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        for number in range(20):
            spec = pod(f"short-{number}", image="python", args=["-c", ""])
            await cluster.registry.create("pods", spec)
        await until(lambda: all(found["spec"].get("nodeName") for found in cluster.pods()))
        for number in range(20):
            await cluster.registry.delete("pods", "default", f"short-{number}")
        await until(lambda: not cluster.pods())
        await until(lambda: not any((tmp_path / "pods").iterdir()))


async def test_sidecar_runs_beside_the_containers_and_ends_after_them(tmp_path: Path) -> None:
    helper = {"name": "helper", "image": "server", "restartPolicy": "Always"}
    ask = "import os, urllib.request as u; print(u.urlopen(f'http://{os.environ[\"HOST\"]}:8080/', timeout=9).read())"
    listening = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    spec = pod("job", image="python", args=["-c", ask])
    spec["spec"] |= {"initContainers": [helper | {"startupProbe": listening}], "restartPolicy": "Never"}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: cluster.pod("job")["status"]["phase"] == "Succeeded")
        assert await cluster.log("job") == "b'job'\n"
        assert await cluster.log("job", "helper") == "listening\n"


@pytest.mark.parametrize("kind", ["exec", "httpGet", "sleep"])
async def test_pre_stop_hook_runs_to_its_end_before_the_process_is_told_to_stop(kind: str, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    slow = {
        "exec": {"command": ["sh", "-c", f"sleep 1; echo hook of $POD_NAME >> {notes}"]},
        "httpGet": {"path": "/slow", "port": 8080},
        "sleep": {"seconds": 1},
    }
    server = SERVER.replace("sys.exit(0)", f"(open({str(notes)!r}, 'a').write('TERM'), sys.exit(0))").replace(
        "def do_GET(self):", f"def do_GET(self):\n        import time; time.sleep(1); open({str(notes)!r}, 'a').write('GET ')"
    )
    spec = pod("web", command=[sys.executable, "-c", server], lifecycle={"preStop": {kind: slow[kind]}})
    spec["spec"]["terminationGracePeriodSeconds"] = 20
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: is_ready(cluster.pod("web")))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await cluster.registry.delete("pods", "default", "web")
        await until(lambda: not cluster.pods())
        assert 1.0 <= loop.time() - begun < 19
        assert notes.read_text() == {"exec": "hook of web\nTERM", "httpGet": "GET TERM", "sleep": "TERM"}[kind]


@pytest.mark.parametrize("hook", [{"exec": {"command": ["sleep", "60"]}}, {"sleep": {"seconds": 60}}])
async def test_hook_that_takes_longer_than_the_grace_period_is_cut_and_the_process_still_told(
    hook: dict[str, Any], tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    server = SERVER.replace("sys.exit(0)", f"(open({str(notes)!r}, 'a').write('TERM'), sys.exit(0))")
    spec = pod("web", command=[sys.executable, "-c", server], lifecycle={"preStop": hook})
    spec["spec"]["terminationGracePeriodSeconds"] = 2
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: is_ready(cluster.pod("web")))
        await cluster.registry.delete("pods", "default", "web")
        await until(lambda: not cluster.pods())
        assert notes.read_text() == "TERM"


async def test_hook_that_fails_is_told_and_the_pod_ends_all_the_same(tmp_path: Path) -> None:
    spec = pod("web", lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "echo nobody waits; exit 3"]}}})
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", spec)
        await until(lambda: is_ready(cluster.pod("web")))
        await cluster.registry.delete("pods", "default", "web")
        await until(lambda: not cluster.pods())
        told = [event["message"] for event in cluster.events_of("web") if event["reason"] == "FailedPreStopHook"]
        assert told == ["PreStopHook failed"]


async def test_images_that_cannot_be_read_are_waited_for(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        good = (tmp_path / "images.json").read_bytes()
        (tmp_path / "images.json").write_text("[{")
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: "images.json cannot be read" in cluster.container("web")["state"]["waiting"]["message"])
        (tmp_path / "images.json").write_bytes(good)
        await until(lambda: is_ready(cluster.pod("web")))


async def test_a_pod_whose_supervision_fails_is_begun_again_and_can_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [RuntimeError("a fault of ours")]
    watch = Container._watch_health

    async def failing(container: Container, process: Process) -> None:
        if faults:
            raise faults.pop()
        await watch(container, process)

    monkeypatch.setattr(Container, "_watch_health", failing)
    monkeypatch.setattr("remora.cluster.kubelet.kubelet._BEGIN_AGAIN", 0.1)
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        assert not faults
        await cluster.registry.delete("pods", "default", "web")
        await until(lambda: not cluster.pods())
