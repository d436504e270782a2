import asyncio
import sys
from pathlib import Path

import pytest

from remora.cli import dashboard_child
from remora.cli.dashboard_child import child_arguments, run_child


@pytest.mark.parametrize(
    ("listens", "asked"),
    [("0.0.0.0", "http://127.0.0.1:10254"), ("::", "http://127.0.0.1:10254"), ("::1", "http://[::1]:10254")],
)
def test_it_asks_the_controller_beside_it(listens: str, asked: str) -> None:
    words = child_arguments(host="127.0.0.1", port=8444, health_host=listens, health_port=10254, kubeconfig="", context="")
    assert words[:3] == ["dashboard", "--tokens", "--no-open"]
    assert words[words.index("--controller") + 1] == asked
    assert "--kubeconfig" not in words


async def test_it_starts_again_when_it_ends_and_goes_with_the_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "starts"
    program = tmp_path / "program"
    # Ends at once the first time, and then waits to be told to.
    program.write_text(f'#!/bin/sh\necho $$ >> {noted}\n[ "$(wc -l < {noted})" -gt 1 ] && exec sleep 600\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(dashboard_child, "_LONGEST_PAUSE", 0.05)
    running = asyncio.create_task(run_child(["dashboard"]))
    async with asyncio.timeout(30):
        while not noted.exists() or len(noted.read_text().split()) < 2:
            await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    pid = int(noted.read_text().split()[1])
    assert not Path(f"/proc/{pid}").exists() or sys.platform != "linux"
