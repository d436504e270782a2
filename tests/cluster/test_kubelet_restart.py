"""The cluster process ends, orderly or not, and comes back."""

import os
import signal
from pathlib import Path

from remora.cluster.kubelet.leftovers import MARK
from remora.cluster.kubelet.processes import find_identity, find_marked
from remora.cluster.objects import is_ready, uid_of
from tests.cluster.small_cluster import SmallCluster, pod, small_cluster, until


def _pid(cluster: SmallCluster, name: str) -> int:
    return find_marked(MARK)[uid_of(cluster.pod(name))][0].pid


async def test_killed_cluster_finds_its_processes_again(tmp_path: Path) -> None:
    async with small_cluster(tmp_path, kill=True) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        pid, address = _pid(cluster, "web"), cluster.pod("web")["status"]["podIP"]
    assert find_identity(pid) is not None
    async with small_cluster(tmp_path) as cluster:
        await until(lambda: cluster.kubelet.find_pod(uid_of(cluster.pod("web"))))
        await until(lambda: is_ready(cluster.pod("web")))
        assert _pid(cluster, "web") == pid
        assert cluster.pod("web")["status"]["podIP"] == address
        assert cluster.container("web")["restartCount"] == 0
        assert await cluster.log("web") == "listening\n"
        os.kill(pid, signal.SIGKILL)
        await until(lambda: cluster.container("web")["restartCount"] == 1)
        await until(lambda: is_ready(cluster.pod("web")))
        assert await cluster.log("web", previous=True) == "listening\n"
    assert find_identity(pid) is None


async def test_hooks_are_not_run_again_and_lasting_facts_stay(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    hook = {"postStart": {"exec": {"command": ["sh", "-c", f"echo hook >> {notes}"]}}, "stopSignal": "SIGKILL"}
    async with small_cluster(tmp_path, kill=True) as cluster:
        await cluster.registry.create("pods", pod("web", lifecycle=hook))
        await until(lambda: is_ready(cluster.pod("web")))
        started = cluster.container("web")["state"]
    async with small_cluster(tmp_path) as cluster:
        await until(lambda: cluster.kubelet.find_pod(uid_of(cluster.pod("web"))))
        await until(lambda: is_ready(cluster.pod("web")) and cluster.container("web")["started"])
        assert cluster.container("web")["state"] == started
        assert notes.read_text() == "hook\n"


async def test_process_that_died_meanwhile_is_started_again(tmp_path: Path) -> None:
    async with small_cluster(tmp_path, kill=True) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        pid = _pid(cluster, "web")
    os.kill(pid, signal.SIGKILL)
    async with small_cluster(tmp_path) as cluster:
        await until(lambda: cluster.container("web")["restartCount"] == 1 and is_ready(cluster.pod("web")))
        assert cluster.container("web")["lastState"]["terminated"]["reason"] == "Unknown"


async def test_orderly_end_stops_processes_and_keeps_pods(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        uid, pid = uid_of(cluster.pod("web")), _pid(cluster, "web")
    assert find_identity(pid) is None
    async with small_cluster(tmp_path) as cluster:
        await until(lambda: cluster.container("web")["restartCount"] == 1 and is_ready(cluster.pod("web")))
        assert uid_of(cluster.pod("web")) == uid


async def test_processes_of_pods_removed_meanwhile_are_ended(tmp_path: Path) -> None:
    async with small_cluster(tmp_path, kill=True) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        pid = _pid(cluster, "web")
    (tmp_path / "store.sqlite").unlink()
    for left in tmp_path.glob("store.sqlite-*"):
        left.unlink()
    async with small_cluster(tmp_path):
        await until(lambda: find_identity(pid) is None)


async def test_deletion_while_the_cluster_was_down_is_carried_out(tmp_path: Path) -> None:
    async with small_cluster(tmp_path, kill=True) as cluster:
        await cluster.registry.create("pods", pod("web"))
        await until(lambda: is_ready(cluster.pod("web")))
        pid = _pid(cluster, "web")
        await cluster.registry.delete("pods", "default", "web")
    async with small_cluster(tmp_path) as cluster:
        await until(lambda: not cluster.pods())
        assert find_identity(pid) is None
