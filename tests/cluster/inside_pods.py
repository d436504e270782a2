"""A cluster in a thread of the test's process, with an API server before it: what kubectl and other clients talk to."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from remora.cluster.api.pki import read_pki, write_kubeconfig
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.kubelet.images import Image
from remora.cluster.objects import Object, is_ready
from remora.cluster.ports import free_port
from tests.cluster.small_cluster import SERVER, SmallCluster, small_cluster, until

T = TypeVar("T")
PATIENCE = 40.0
HOST = "127.0.0.1"
NOTHING: Mapping[str, str] = {}


@dataclass
class Inside:
    """`cluster` belongs to the thread's loop: only what `run` carries out may touch it."""

    cluster: SmallCluster
    directory: Path
    kubeconfig: Path
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory)}

    def start(self, *arguments: str, more: Mapping[str, str] = NOTHING) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        environment = {**self.environment, **more}
        return subprocess.Popen(["kubectl", *arguments], env=environment, stdin=pipe, stdout=pipe, stderr=pipe)

    def kubectl(
        self, *arguments: str, given: bytes = b"", more: Mapping[str, str] = NOTHING
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            ["kubectl", *arguments],
            env={**self.environment, **more},
            input=given,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )

    def output(self, *arguments: str, given: bytes = b"") -> str:
        """A failure fails the test with what kubectl said."""
        done = self.kubectl(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.decode()}"
        return done.stdout.decode()

    def create(self, pod: Object) -> None:
        self.run(self.cluster.registry.create("pods", pod))

    def start_pod(self, pod: Object) -> None:
        """Creates it and waits until it is ready."""
        self.create(pod)
        self.wait_ready(pod["metadata"]["name"])

    def wait_ready(self, name: str) -> None:
        async def ready() -> None:
            await until(lambda: is_ready(self.cluster.pod(name)))

        self.run(ready())


@contextmanager
def inside_pods(directory: Path) -> Iterator[Inside]:
    """Images: `shell` is `/bin/sh`, `server` answers HTTP with its pod's name, `python`."""
    loop = asyncio.new_event_loop()
    made: list[Inside] = []
    is_made, is_over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with small_cluster(directory) as cluster:
            cluster.images.add(Image(name="shell", command=("/bin/sh",)))
            cluster.images.add(Image(name="server", command=(sys.executable, "-c", SERVER)))
            pki, port = read_pki(directory / "pki", (HOST,)), free_port(HOST)
            api = ApiServer(
                registry=cluster.registry, pki=pki, tokens=Tokens(pki.token_key), node=cluster.kubelet, host=HOST, port=port
            )
            serving = asyncio.create_task(api.run())
            await asyncio.wait_for(api.listening.wait(), PATIENCE)
            kubeconfig = directory / "kubeconfig"
            write_kubeconfig(kubeconfig, server=f"https://{HOST}:{port}", name="test", pki=pki)
            made.append(Inside(cluster, directory, kubeconfig, loop))
            is_made.set()
            await is_over.wait()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            is_made.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert is_made.wait(PATIENCE)
        yield made[0]
    finally:
        if made:
            loop.call_soon_threadsafe(is_over.set)
        thread.join(PATIENCE)
