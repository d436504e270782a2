"""A dashboard whose controllers are in the test: in this process, or behind a socket for a browser."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from starlette.applications import Starlette

from remora.core.errors import RemoraError
from remora.dashboard.app import application
from remora.dashboard.poller import Heard, Poller
from remora.dashboard.serve import bound, serve
from remora.dashboard.site import Site
from remora.dashboard.traffic import Explained, Question, Traffic
from remora.dashboard.viewer import Access, OneTimeUrl, Viewer
from remora.observe.traffic_report import TrafficReport
from remora.report.explain import Explanation, Pod, RouteLine

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
        self.base = f"http://127.0.0.1:{port}"
        self.url = f"{self.base}/enter?token={key}"


@contextmanager
def served(told: Told) -> Iterator[Served]:
    """A dashboard in a thread of its own."""
    access = OneTimeUrl(Viewer("you", None))
    where = bound("127.0.0.1", 0)
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    async def run() -> None:
        poller = Poller(told.ask, pause=PAUSE)
        parts = [asyncio.create_task(poller.run()), asyncio.create_task(serve(dashboard(poller, access), where))]
        await ended.wait()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    try:
        yield Served(told, where.getsockname()[1], access.key)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(20)
        loop.close()
        where.close()
