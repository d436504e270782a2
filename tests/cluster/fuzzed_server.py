"""The API as an application in this process, asked without a network; whatever it answers, it must not have failed."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from remora.cluster.addresses import Network
from remora.cluster.api.admission.webhooks import Webhooks
from remora.cluster.api.authorization.authorizer import Authorizer
from remora.cluster.api.handlers import Api
from remora.cluster.api.http import PEER, Application
from remora.cluster.api.registry import Registry
from remora.cluster.api.tokens import Identity, Tokens
from remora.cluster.services.allocation import ServiceAllocator
from remora.cluster.store import Store
from tests.cluster.api_server import NoNode

PATIENCE = 30.0
ADMIN = Identity("kubernetes-admin", ("system:masters", "system:authenticated"))


class FuzzedServer:
    """Answers one request after the other; used by tests that are no coroutines, as hypothesis wants them."""

    def __init__(self, directory: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._store = Store(directory / "store.db")
        self.registry = self._loop.run_until_complete(self._made())

    async def _made(self) -> Registry:
        registry = Registry(store=self._store)
        await registry.create("namespaces", {"metadata": {"name": "default"}})
        allocator = ServiceAllocator(
            network=Network(0), services=(), find=lambda key: registry.find("services", key.namespace, key.name)
        )
        registry.add_admission("services", allocator.admit)
        authorizer = Authorizer(registry, "AlwaysAllow")
        # Not added to the registry: odd webhooks would be called.
        self._webhooks = Webhooks(registry)
        api = Api(
            registry=registry,
            node=NoNode(),
            tokens=Tokens(b"k" * 32),
            address="127.0.0.1:1",
            authorizer=authorizer,
            reviewer=self._webhooks,
        )
        self._application = Application(api)
        return registry

    def ask(
        self, method: str, path: str, body: bytes = b"", *, media: str = "application/json", query: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Status and body, decoded if it is JSON.

        Raises:
            AssertionError: the server failed, or did not come to an end.
        """
        text = urlencode(query or {}, doseq=True)
        status, answered = self._loop.run_until_complete(asyncio.wait_for(self._ask(method, path, text, body, media), PATIENCE))
        try:
            found = json.loads(answered)
        except ValueError:
            found = answered
        reason = found.get("reason") if isinstance(found, dict) else ""
        assert reason != "InternalError", f"{method} {path}?{text} {media} {body[:2000]!r}"
        return status, found

    async def _ask(self, method: str, path: str, query: str, body: bytes, media: str) -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"content-type", media.encode("latin-1", "replace")), (b"user-agent", b"fuzz/1")],
            "extensions": {PEER: {"identity": ADMIN}},
        }
        sent: list[dict[str, Any]] = []
        messages = iter([{"type": "http.request", "body": body}])

        async def receive() -> dict[str, Any]:
            for message in messages:
                return message
            await asyncio.sleep(0.05)  # a watch goes on until the client has gone
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._application(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    def close(self) -> None:
        self._loop.run_until_complete(self._webhooks.close())
        self._store.close()
        self._loop.close()
