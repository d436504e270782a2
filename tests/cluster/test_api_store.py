"""The store and a process that is killed while it writes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from remora.cluster.store import Store

WRITER = """
import sys
from pathlib import Path
from remora.cluster.store import Store

store = Store(Path(sys.argv[1]))
number = 0
while True:
    kept = store.put("configmaps", {"metadata": {"name": f"c{number % 50}", "namespace": "default"}, "number": number})
    print(kept["metadata"]["resourceVersion"], number, flush=True)
    number += 1
"""


def test_a_killed_process_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(300)][-1]
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
    complete = [line for line in rest if line.endswith("\n")]
    version, number = map(int, (complete or [acknowledged])[-1].split())
    store = Store(path)
    assert store.version >= version
    latest = store.find("configmaps", "default", f"c{number % 50}")
    store.close()
    assert latest is not None
    assert latest["number"] >= number
    assert int(latest["metadata"]["resourceVersion"]) >= version
