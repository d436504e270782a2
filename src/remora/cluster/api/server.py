"""The API server's socket: TLS, client certificates, and an end that does not wait for watches."""

import asyncio
import logging
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from remora.cluster.api.admission.webhooks import Webhooks
from remora.cluster.api.authorization.authorizer import AuthorizationMode, Authorizer
from remora.cluster.api.authorization.escalation import EscalationCheck
from remora.cluster.api.custom.definitions import Definitions
from remora.cluster.api.handlers import Api
from remora.cluster.api.http import PEER, Application
from remora.cluster.api.ingressclass import ClassAdmission
from remora.cluster.api.joining import JoiningTransport
from remora.cluster.api.node import NodePort
from remora.cluster.api.pki import Pki
from remora.cluster.api.registry import Registry
from remora.cluster.api.signing import SIGNING_REQUESTS, admit_signing_request
from remora.cluster.api.stalled import Stalled
from remora.cluster.api.takeover import BareConnection, WebSocketProtocol, identity_of, take_over
from remora.cluster.api.tokens import Tokens

_LAST_MOMENT = 1.0
"""Seconds in which streams see that their connection has gone, and end by themselves, before they are cancelled."""
_KEEP_ALIVE = 180
"""Seconds that an idle connection is kept; longer than the 90 of Go's clients, so that they are the ones to close it."""


class ApiServer:
    """Serves the registry over HTTPS on one address."""

    def __init__(
        self,
        *,
        registry: Registry,
        pki: Pki,
        tokens: Tokens,
        node: NodePort,
        host: str = "127.0.0.1",
        port: int,
        authorization_mode: AuthorizationMode = "AlwaysAllow",
    ) -> None:
        self.listening = asyncio.Event()
        self._host = host
        self._port = port
        self._pki = pki
        self._definitions = Definitions(registry)
        authorizer = Authorizer(registry, authorization_mode)
        EscalationCheck(authorizer).attach(registry)
        registry.add_admission(SIGNING_REQUESTS, admit_signing_request)
        ClassAdmission(registry).attach()
        self._webhooks = Webhooks(registry)
        registry.add_reviewer(self._webhooks)
        api = Api(
            registry=registry,
            node=node,
            tokens=tokens,
            address=f"{host}:{port}",
            authorizer=authorizer,
            reviewer=self._webhooks,
        )
        self._application = Application(api)

    @property
    def url(self) -> str:
        return f"https://{self._host}:{self._port}"

    async def run(self) -> None:
        """Serves until cancelled; then all connections end at once.

        Raises:
            OSError: the address cannot be had.
        """
        # Its own loggers stay as they are: the program that embeds the server decides what is logged.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        config = uvicorn.Config(
            self._application,
            http="httptools",
            ws=WebSocketProtocol,
            ws_per_message_deflate=False,
            # While a command does not read its standard input, the client's pongs wait behind it.
            ws_ping_timeout=None,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nobody stands between clients and this server whose word about them would count.
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        context = self._pki.server_context()
        server = await loop.create_server(
            lambda: _Protocol(config, state, {}), self._host, self._port, ssl=context, reuse_address=True, backlog=512
        )
        self._port = server.sockets[0].getsockname()[1]
        try:
            self.listening.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._definitions.run())
                group.create_task(server.serve_forever())
        finally:
            self.listening.clear()
            server.close()
            await _end(state)
            await self._webhooks.close()


class _Protocol(HttpToolsProtocol):
    """Tells the application whose certificate the client has shown."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoiningTransport(transport)))
        self._peer = identity_of(transport.get_extra_info("ssl_object"))
        self._stalled = Stalled(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled.end()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stalled.end()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {PEER: {"identity": self._peer, "take_over": self._take_over}}

    def _unsupported_upgrade_warning(self) -> None:
        """What is asked for beside WebSockets is the application's affair."""

    def _take_over(self, protocol: str) -> BareConnection:
        self.connections.discard(self)
        # The cycle would else answer for an application that did not.
        self.cycle.disconnected = True
        headers = (("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", protocol))
        connection = take_over(self.transport, headers)
        self.connections.add(connection)  # type: ignore[arg-type]
        return connection


async def _end(state: ServerState) -> None:
    """Ends what is still going on. Watches never end by themselves, and their readers begin again anyway."""
    for connection in list(state.connections):
        connection.transport.abort()
    if not (tasks := list(state.tasks)):
        return
    await asyncio.wait(tasks, timeout=_LAST_MOMENT)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
