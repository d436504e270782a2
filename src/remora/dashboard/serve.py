"""The dashboard's socket."""

import asyncio
import logging
import socket

import uvicorn
from starlette.types import ASGIApp

from remora.core.errors import UsageError

_LAST_MOMENT = 1
"""Seconds that streams are given to end."""


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any.

    Raises:
        UsageError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        # From here on a visitor waits, and is not refused, until somebody answers.
        made.listen()
    except OSError as error:
        made.close()
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}; choose another port") from error
    return made


async def serve(app: ASGIApp, where: socket.socket, *, certificate: tuple[str, str] | None = None) -> None:
    """Serves until cancelled. `certificate` are the files of a certificate and of its key."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_LAST_MOMENT,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[where])
    except asyncio.CancelledError:
        server.should_exit = True
        raise


class _Server(uvicorn.Server):
    """Leaves signals to the program that it is part of."""

    def install_signal_handlers(self) -> None:
        """Nothing."""

    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Nothing."""
        from contextlib import nullcontext

        return nullcontext()
