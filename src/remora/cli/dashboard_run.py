"""Composes the dashboard for one person: who is asked, who looks, and the address that lets them in."""

import asyncio
import signal
import webbrowser
from contextlib import AsyncExitStack

import msgspec

from remora.cli.dashboard_sources import Explaining, asking
from remora.cli.health_ports import Whom, health_ports
from remora.cli.render import say
from remora.dashboard.app import application
from remora.dashboard.lookout import Lookout
from remora.dashboard.poller import Poller
from remora.dashboard.serve import bound, serve
from remora.dashboard.site import Part, Site
from remora.dashboard.traffic import Traffic
from remora.dashboard.viewer import OneTimeUrl, Viewer
from remora.dashboard.workload_part import workload_part
from remora.kube.client import ApiClient
from remora.kube.credentials import connect

LOCALHOST = "127.0.0.1"


class Ended(Exception):
    """Somebody has had enough."""


class Wish(msgspec.Struct, frozen=True):
    """What the command was asked for."""

    port: int = 0
    browse: bool = True
    read_only: bool = False
    controller: str = ""
    kubeconfig: str = ""
    context: str = ""
    flags: str = ""


def run_dashboard(wish: Wish) -> None:
    """Serves until Ctrl-C."""
    asyncio.run(_run(wish))


async def _run(wish: Wish) -> None:
    async with AsyncExitStack() as stack:
        whom = Whom(wish.controller, wish.kubeconfig, wish.context)
        ports = await stack.enter_async_context(health_ports(whom))
        client, title, namespace = ports.client, ports.server or wish.controller, ports.namespace or "default"
        if client is None and (wish.kubeconfig or wish.context):
            connection = await connect(wish.kubeconfig, wish.context)
            client = await stack.enter_async_context(ApiClient.open(connection))
            namespace = connection.namespace or namespace
        viewer = Viewer("you", client, namespace, may_write=client is not None and not wish.read_only)
        access = OneTimeUrl(viewer)
        where = bound(LOCALHOST, wish.port)
        port = where.getsockname()[1]
        site = Site(title=title)
        poller = Poller(asking(ports))
        explain = Explaining(wish.flags) if client else None
        parts: list[Part] = [Traffic(site, poller, explain).part()]
        lookout = Lookout()
        if client is not None:
            parts.append(workload_part(site, lookout, may_write=viewer.may_write))
        hosts = frozenset({LOCALHOST, "localhost"})
        app = application(site, access, parts, hosts=hosts, cookie=f"remora-{port}")
        url = f"http://{LOCALHOST}:{port}/enter?token={access.key}"
        print(url, flush=True)
        say("lets one browser in; Ctrl-C ends it")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(end_at_signal())
                group.create_task(poller.run())
                group.create_task(lookout.run())
                group.create_task(serve(app, where))
                if wish.browse:
                    group.create_task(asyncio.to_thread(webbrowser.open, url))
        except* Ended:
            pass


async def end_at_signal() -> None:
    """Raises Ended when the process is told to stop."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    raise Ended
