"""The local cluster's API server in a process of its own, without controllers or a node: what the loads of `cluster.py` go to.

Says on stdout where it listens, and serves until it is ended.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import uvloop

from remora.cluster.addresses import Network
from remora.cluster.api.node import NodePort
from remora.cluster.api.pki import read_pki, write_kubeconfig
from remora.cluster.api.registry import Registry
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.ports import free_port
from remora.cluster.services.allocation import ServiceAllocator
from remora.cluster.store import Store

HOST = "127.0.0.1"


class _NoNode:
    async def log(self, pod: dict[str, Any], container: str, **options: Any) -> AsyncIterator[bytes]:
        yield b""


async def serve(directory: Path) -> None:
    """Serves what the store in `directory` has, under a kubeconfig that it writes there."""
    with closing(Store(directory / "store.db")) as store:
        registry = Registry(store=store)
        allocator = ServiceAllocator(
            network=Network(0),
            services=registry.list("services")[0],
            find=lambda key: registry.find("services", key.namespace, key.name),
        )
        registry.add_admission("services", allocator.admit)
        if registry.find("namespaces", "", "default") is None:
            await registry.create("namespaces", {"metadata": {"name": "default"}})
        pki, port = read_pki(directory / "pki", (HOST,)), free_port(HOST)
        server = ApiServer(
            registry=registry, pki=pki, tokens=Tokens(pki.token_key), node=cast(NodePort, _NoNode()), host=HOST, port=port
        )
        write_kubeconfig(directory / "kubeconfig", server=f"https://{HOST}:{port}", name="bench", pki=pki)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.run())
            await server.listening.wait()
            print(port, flush=True)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
