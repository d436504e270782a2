"""An API server with its controllers as a process that a test may kill: `python -m tests.cluster.killable DIRECTORY PORT`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import uvloop

from remora.cluster.api.node import NodePort
from remora.cluster.api.pki import read_pki
from remora.cluster.api.registry import Registry
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.controllers.controllers import Controllers
from remora.cluster.events import Events
from remora.cluster.store import Store

HOST = "127.0.0.1"


class _NoNode:
    async def log(self, pod: dict[str, Any], container: str, **options: Any) -> AsyncIterator[bytes]:
        yield b""


async def _serve(directory: Path, port: int) -> None:
    store = Store(directory / "store.db")
    registry = Registry(store=store)
    if registry.find("namespaces", "", "default") is None:
        await registry.create("namespaces", {"metadata": {"name": "default"}})
    events = Events(registry=registry)
    pki = read_pki(directory / "pki", (HOST,))
    tokens = Tokens(pki.token_key)
    controllers = Controllers(
        registry=registry, events=events, ca_certificate="certificate", tokens=tokens, volumes=directory / "volumes"
    )
    node = cast(NodePort, _NoNode())
    server = ApiServer(registry=registry, pki=pki, tokens=tokens, node=node, host=HOST, port=port)
    async with asyncio.TaskGroup() as group:
        for part in (server, events, controllers):
            group.create_task(part.run())


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
