"""Composes the dashboard for many: each signs in with a token, sees what it may read, and changes nothing."""

import asyncio
import ipaddress
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import msgspec

from remora.apply.default_certificate import ensure_default_certificate
from remora.cli.dashboard_run import Ended, Wish, end_at_signal
from remora.cli.dashboard_sources import Explaining, asking
from remora.cli.health_ports import Whom, health_ports
from remora.cli.render import say
from remora.core.errors import UsageError
from remora.dashboard.app import application
from remora.dashboard.poller import Poller
from remora.dashboard.rights import TokenSignIn, without_certificate
from remora.dashboard.serve import bound, serve
from remora.dashboard.site import Site
from remora.dashboard.traffic import Traffic
from remora.kube.credentials import connect

_IDLE = 3600.0
"""Seconds for which the token of somebody who looks no more is kept."""


def run_for_many(wish: Wish, host: str) -> None:
    """Serves until it is told to stop.

    Raises:
        UsageError: the address is none, or cannot be had.
    """
    try:
        is_own = ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise UsageError(f"--host {host}: an IP address is needed") from error
    asyncio.run(_run(wish, host, is_secure=not is_own))


async def _run(wish: Wish, host: str, *, is_secure: bool) -> None:
    async with AsyncExitStack() as stack:
        whom = Whom(wish.controller, wish.kubeconfig, wish.context)
        ports = await stack.enter_async_context(health_ports(whom))
        connection = await connect(wish.kubeconfig, wish.context)
        anonymous = msgspec.structs.replace(connection, ssl_context=without_certificate(connection.ssl_context))
        connector = aiohttp.TCPConnector(limit=64, ssl=anonymous.ssl_context or True)
        headers = {"Accept": "application/json", "User-Agent": "remora-dashboard"}
        # A cookie that an answer sets for one viewer must not go with the next one's questions.
        jar = aiohttp.DummyCookieJar()
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, headers=headers, cookie_jar=jar))
        site = Site()
        poller = Poller(asking(ports))
        parts = [Traffic(site, poller, Explaining(wish.flags)).part()]
        where = bound(host, wish.port)
        port = where.getsockname()[1]
        app = application(
            site,
            TokenSignIn(anonymous, session),
            parts,
            hosts=frozenset(),
            cookie=f"remora-{port}",
            is_secure=is_secure,
            idle=_IDLE,
        )
        certificate = _certificate(stack) if is_secure else None
        address = f"[{host}]" if ":" in host else host
        say(f"the dashboard is at {'https' if is_secure else 'http'}://{address}:{port}")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(end_at_signal())
                group.create_task(poller.run())
                group.create_task(serve(app, where, certificate=certificate))
        except* Ended:
            pass


def _certificate(stack: AsyncExitStack) -> tuple[str, str]:
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-dashboard-"))
    path = Path(directory) / "certificate.pem"
    ensure_default_certificate(path)
    return str(path), str(path)
