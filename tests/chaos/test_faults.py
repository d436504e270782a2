"""Faults under steady load: none but requests under way on a killed proxy fail, and in the end HAProxy runs what it should."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remora.core.settings import ProxySettings
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.scene import Scene, scene_of
from tests.chaos.servers import real_api, small_api
from tests.chaos.table import ROWS, Row

SECONDS = float(os.environ.get("REMORA_CHAOS_SECONDS", "30"))
"""How long a fault lasts that does not end by itself."""


@asynccontextmanager
async def scene_for(fault: Fault, settings: ProxySettings, directory: Path) -> AsyncIterator[Scene]:
    disk = small_disk(settings.state_directory) if fault.of_small_disk else contextlib.nullcontext()
    server = real_api(directory) if fault.of_real_api else small_api(directory)
    with disk:
        async with server as api, scene_of(api, settings, files=fault.files) as scene:
            yield scene


@contextlib.contextmanager
def small_disk(directory: str) -> Iterator[None]:
    """A disk of a few megabytes in place of the directory, where that may be had."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "none", directory], capture_output=True).returncode:
        pytest.skip("a disk that can be filled may not be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


async def endure(scene: Scene, fault: Fault, *, seconds: float, visitors: int, rate: float, sockets: int, calm: float) -> None:
    """Lets a fault befall a scene under load, and looks at all that must hold."""
    said = len(scene.lines)
    scene.struck.clear()
    async with scene.under_load(visitors=visitors, rate=rate, sockets=sockets) as traffic:
        await asyncio.sleep(calm)
        hosts = await fault.befall(scene, seconds)
        until_right = await scene.becomes_right(*hosts)
        await asyncio.sleep(calm)
        cut = traffic.cut
    under_way = [one for one in traffic.failures if scene.is_under_way(one)]
    others = [one for one in traffic.failures if one not in under_way]
    row = Row(fault.name, traffic.requests, len(traffic.failures), len(under_way), traffic.moved, cut, until_right)
    ROWS.append(row)
    new = scene.lines[said:]
    print(*new, sep="\n")
    assert fault.kills_all or not others, (row, others[:5], new)
    assert fault.kills_proxy or not under_way, (row, under_way[:5], new)
    assert traffic.moved == 0, row
    assert fault.kills_proxy or cut == 0, row
    assert any(fault.message in line for line in new), new
    assert not any("Traceback" in line for line in new), new


@pytest.mark.chaos
@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_costs_only_what_was_under_way(fault: Fault, proxy_settings: ProxySettings, tmp_path: Path) -> None:
    async with scene_for(fault, proxy_settings, tmp_path) as scene:
        await endure(scene, fault, seconds=SECONDS * fault.part, visitors=50, rate=500, sockets=10, calm=2)


SHORT = (
    "controller killed",
    "master and worker killed",
    "API server answers 500",
    "watches closed at random",
    "events of an unknown type",
    "disk full",
    "certificate replaced by rubbish",
)


@pytest.mark.timeout(180)
async def test_some_faults_in_a_row_cost_only_what_was_under_way(proxy_settings: ProxySettings, tmp_path: Path) -> None:
    faults = {fault.name: fault for fault in FAULTS}
    async with small_api(tmp_path) as api, scene_of(api, proxy_settings) as scene:
        for name in SHORT:
            await endure(scene, faults[name], seconds=0.6, visitors=10, rate=100, sockets=2, calm=0.1)
