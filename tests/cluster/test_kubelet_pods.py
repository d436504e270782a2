"""Pods as real processes."""

import asyncio
from pathlib import Path

from remora.cluster.objects import is_ready
from tests.cluster.small_cluster import pod, small_cluster, until


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
