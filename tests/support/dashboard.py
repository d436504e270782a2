"""A dashboard whose controllers are in the test: in this process, or behind a socket for a browser."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager

import msgspec
from starlette.applications import Starlette

from remora.core.errors import RemoraError
from remora.dashboard.app import application
from remora.dashboard.lookout import Lookout
from remora.dashboard.poller import Heard, Poller
from remora.dashboard.serve import bound, serve
from remora.dashboard.site import Site
from remora.dashboard.traffic import Explained, Question, Traffic
from remora.dashboard.viewer import Access, OneTimeUrl, Viewer
from remora.dashboard.workload_part import workload_part
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.observe.traffic_report import TrafficReport
from remora.report.explain import Explanation, Pod, RouteLine
from tests.support.traffic import report

COOKIE = "remora-test"
PAUSE = 0.1


class Told:
    """What the controllers say, and how often they were asked."""

    def __init__(self, report: TrafficReport) -> None:
        self.report = report
        self.trouble = ""
        self.questions = 0

    async def ask(self) -> Heard:
        self.questions += 1
        if self.trouble:
            raise RemoraError(self.trouble)
        # Counters stand still while time goes on.
        self.report = msgspec.structs.replace(self.report, at=self.report.at + 1.0)
        return Heard(self.report)


async def explain(viewer: Viewer, question: Question) -> Explained:
    """Sends everything to the first rule of the host, and its second pod."""
    if "refused" in question.url:
        raise RemoraError(f"{question.url} is no URL")
    line = RouteLine("shop.example/", "shop.example", "Prefix /", "shop/web")
    pods = (Pod("web-abc-1", "10.0.0.1:80", "active", "", False), Pod("web-abc-2", "10.0.0.2:80", "active", "", True))
    said = Explanation(
        request=f"GET {question.url}", host="shop.example", path="/", answer="pod web-abc-2", route=line, pods=pods
    )
    return Explained(said, (f"cookies: {', '.join(question.cookies)}",) if question.cookies else ())


def dashboard(poller: Poller, access: Access | None = None) -> Starlette:
    """The application, which answers to `testserver` and 127.0.0.1."""
    site = Site(title="https://cluster.example", pause=PAUSE)
    part = Traffic(site, poller, explain).part()
    hosts = frozenset({"testserver", "127.0.0.1"})
    return application(site, access or OneTimeUrl(Viewer("you", None)), [part], hosts=hosts, cookie=COOKIE)


class Served:
    """A dashboard on a port; `url` lets one browser in."""

    def __init__(self, told: Told, port: int, key: str) -> None:
        self.told = told
        self.key = key
        self.base = f"http://127.0.0.1:{port}"
        self.url = f"{self.base}/enter?token={key}"


@contextmanager
def served(
    told: Told | None = None, connect: Callable[[], Awaitable[Connection]] | None = None, *, may_write: bool = True
) -> Iterator[Served]:
    """A dashboard in a thread of its own: of traffic as told, of workloads if there is a cluster to connect to."""
    said = told or Told(report())
    started: Future[Served] = Future()
    ended: list[Callable[[], object]] = []

    async def run() -> None:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(ApiClient.open(await connect())) if connect else None
            access, lookout = OneTimeUrl(Viewer("you", client, may_write=may_write)), Lookout()
            where, site, poller = bound("127.0.0.1", 0), Site(title="test", pause=PAUSE), Poller(said.ask, pause=PAUSE)
            stack.callback(where.close)
            parts = [Traffic(site, poller, explain).part()]
            parts += [workload_part(site, lookout, may_write=may_write)] if client else []
            app = application(site, access, parts, hosts=frozenset({"127.0.0.1"}), cookie=COOKIE)
            tasks = [asyncio.create_task(one) for one in (poller.run(), lookout.run(), serve(app, where))]
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            ended.append(lambda: loop.call_soon_threadsafe(stop.set))
            started.set_result(Served(said, where.getsockname()[1], access.key))
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # Connections over TLS say farewell in further turns of the loop, and complain when it ends before.
        await asyncio.sleep(0.3 if connect else 0)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="dashboard", daemon=True)
    thread.start()
    try:
        yield started.result(30)
    finally:
        for end in ended:
            end()
        thread.join(30)
