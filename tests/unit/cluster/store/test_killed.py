"""What was acknowledged survives the end of the process that wrote it, however it ends."""

import subprocess
import sys
from pathlib import Path

from remora.cluster.store import Store

WRITER = """
import sys
from itertools import count
from pathlib import Path
from remora.cluster.store import Store

store = Store(Path(sys.argv[1]))
for number in count():
    kept = store.put("configmaps", {"metadata": {"name": f"c{number}", "namespace": "default"}})
    print(kept["metadata"]["resourceVersion"], flush=True)
"""
ENOUGH = 200


def test_every_acknowledged_write_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(ENOUGH):
            writer.stdout.readline()
        writer.kill()
        acknowledged = ENOUGH + len(writer.stdout.read().split())
    store = Store(path)
    assert store.version >= acknowledged
    assert len(store.list("configmaps")) == store.version
    assert store.find("configmaps", "default", f"c{acknowledged - 1}") is not None
    store.close()
