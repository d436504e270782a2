"""What a killed cluster leaves behind, with real processes: their ports must be free for the cluster that follows."""

import subprocess
import sys
from pathlib import Path

from remora.cluster.ports import find_obstacle
from remora.cluster.services.leftover import end_leftovers

# Memory is given back before sockets are closed, and giving back much takes a while.
_SLOW_TO_END = """
import socket, time
memory = b"x" * 500_000_000
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
time.sleep(60)
"""


def test_port_of_a_leftover_is_free_once_it_has_been_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOW_TO_END, "-f", str(tmp_path / "services.cfg")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as leftover:
        assert leftover.stdout is not None
        port = int(leftover.stdout.readline())
        assert end_leftovers(tmp_path) == 1
        assert find_obstacle("127.0.0.1", port) is None
