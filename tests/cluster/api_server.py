"""An API server alone, on a loopback address, without controllers or a node: what tests of it talk to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from remora.cluster.addresses import Network
from remora.cluster.api.authorization.defaults import default_roles
from remora.cluster.api.errors import internal_error
from remora.cluster.api.node import Console, Figures, Usage
from remora.cluster.api.pki import Pki, read_pki, write_kubeconfig
from remora.cluster.api.registry import Registry
from remora.cluster.api.server import ApiServer
from remora.cluster.api.tokens import Tokens
from remora.cluster.ports import free_port
from remora.cluster.services.allocation import ServiceAllocator
from remora.cluster.store import Store

HOST = "127.0.0.1"


class NoNode:
    """A node that has one line of log for every container."""

    async def log(self, pod: dict[str, Any], container: str, **options: Any) -> AsyncIterator[bytes]:
        yield f"{pod['metadata']['name']}/{container}\n".encode()

    def check_running(self, pod: dict[str, Any], container: str) -> None:
        raise internal_error(f'unable to upgrade connection: container not found ("{container}")')

    async def execute(self, pod: dict[str, Any], container: str, command: Sequence[str], console: Console) -> int:
        raise NotImplementedError

    async def attach(self, pod: dict[str, Any], container: str, console: Console) -> None:
        raise NotImplementedError

    async def read_usage(self) -> Usage:
        return Usage(1.0, {}, Figures(0.5, 1 << 30))


class Running(msgspec.Struct, frozen=True):
    """A server that answers; `kubeconfig` is the administrator's."""

    registry: Registry
    server: str
    kubeconfig: Path
    context: ssl.SSLContext
    session: aiohttp.ClientSession
    tokens: Tokens


@asynccontextmanager
async def running_api_server(directory: Path) -> AsyncIterator[Running]:
    store = Store(directory / "store.db")
    registry = Registry(store=store)
    for name in ("default", "kube-system"):
        await registry.create("namespaces", {"metadata": {"name": name}})
    for role in default_roles():
        await registry.create(str(registry.resources.find_name(role["apiVersion"], role["kind"])), role)
    allocator = ServiceAllocator(
        network=Network(0), services=(), find=lambda key: registry.find("services", key.namespace, key.name)
    )
    registry.add_admission("services", allocator.admit)
    pki = read_pki(directory / "pki", (HOST,))
    tokens, port = Tokens(pki.token_key), free_port(HOST)
    api = ApiServer(registry=registry, pki=pki, tokens=tokens, node=NoNode(), host=HOST, port=port)
    serving = asyncio.create_task(api.run())
    await asyncio.wait_for(api.listening.wait(), 30)
    server, kubeconfig = f"https://{HOST}:{port}", directory / "kubeconfig"
    write_kubeconfig(kubeconfig, server=server, name="test", pki=pki)
    context = _admin_context(pki)
    async with aiohttp.ClientSession(server, connector=aiohttp.TCPConnector(ssl=context)) as session:
        yield Running(registry, server, kubeconfig, context, session, tokens)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    store.close()


def _admin_context(pki: Pki) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=pki.ca.decode())
    context.load_cert_chain(pki.directory / "admin.crt", pki.directory / "admin.key")
    return context
