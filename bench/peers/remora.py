"""Remora as users run it: `remora controller` with HAProxy in one thread, on the objects of the local API server."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.measuring import version_of
from bench.peers.objects import CONTROLLER, NAMESPACE
from bench.peers.site import Proxy, Site, family, free_ports
from remora.apply.binary import find_binary


class Remora(Proxy):
    name = "Remora"
    settings = "`remora controller --threads 1`, which writes no statuses and no Events; defaults otherwise"
    reads_api = True

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        return f"{version_of(sys.executable, '-m', 'remora', '--version')}, {version_of(str(find_binary(None)), '-v')}"

    def start(self, site: Site) -> None:
        self._health = free_ports(1)[0]
        self._state.mkdir()
        self._start()

    def processes(self) -> Sequence[int]:
        """The workers; the master only waits for them."""
        master = self._master()
        return tuple(family(master))[1:] if master else ()

    def controllers(self) -> Sequence[int]:
        return (self.children.pid("controller"),)

    async def restart_controller(self) -> bool:
        self.children.kill("controller")
        await asyncio.sleep(0.5)
        self._start()
        return True

    def stop(self) -> None:
        super().stop()
        if master := self._master():
            for pid in tuple(family(master)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @property
    def _state(self) -> Path:
        return self.place.directory / "state"

    def _start(self) -> None:
        place = self.place
        self.children.start(
            "controller",
            *(sys.executable, "-m", "remora", "controller", f"--kubeconfig={place.kubeconfig}", f"--state-dir={self._state}"),
            *("--bind-address=127.0.0.1", f"--http-port={place.http}", f"--https-port={place.https}", "--threads=1"),
            *(f"--healthz-port={self._health}", "--healthz-host=127.0.0.1", f"--configmap={NAMESPACE}/{CONTROLLER}"),
            # Statuses of thousands of Ingresses would be news for Traefik, which reads the same objects.
            *("--update-status=false", "--disable-sync-events", f"--session-key-secret={NAMESPACE}/session-key"),
            f"--default-ssl-certificate={NAMESPACE}/certificate",
            POD_NAMESPACE=NAMESPACE,
            POD_NAME=f"remora-{place.number}",
        )

    def _master(self) -> int:
        found = subprocess.run(["pgrep", "-f", str(self._state / "master.sock")], capture_output=True, text=True, check=False)
        pids = [int(pid) for pid in found.stdout.split()]
        kin = {child for pid in pids for child in tuple(family(pid))[1:]}
        return next((pid for pid in pids if pid not in kin), 0)
