"""A dashboard in a thread of its own, and a visitor without a browser: what the tests of its pages talk to."""

import asyncio
import http.client
import re
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from remora.dashboard.app import application
from remora.dashboard.lookout import Lookout
from remora.dashboard.serve import bound, serve
from remora.dashboard.site import Site
from remora.dashboard.viewer import OneTimeUrl, Viewer
from remora.dashboard.workload_part import workload_part
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection

HOST = "127.0.0.1"
PATIENCE = 30.0


class Served(msgspec.Struct, frozen=True):
    """A dashboard that answers; `key` lets one visitor in."""

    url: str
    key: str


class Page(msgspec.Struct, frozen=True):
    """An answer."""

    status: int
    text: str
    headers: Mapping[str, str]


class Visitor:
    """Somebody who has signed in, without a browser."""

    def __init__(self, served: Served) -> None:
        self._host = urlsplit(served.url).netloc
        self._cookie = ""
        entered = self.get(f"/enter?token={quote(served.key)}")
        self._cookie = entered.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/objects/services").text)
        assert found
        self.csrf = found[1]

    def get(self, path: str) -> Page:
        """A page."""
        return self._ask("GET", path, {}, None)

    def post(self, path: str, *, origin: str = "", **fields: str) -> Page:
        """What a form of the dashboard's own pages would send, but for what is given otherwise."""
        headers = {"Origin": origin or f"http://{self._host}", "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, headers, urlencode({"csrf": self.csrf} | fields))

    def events(self, path: str, until: Callable[[str], bool]) -> str:
        """What a stream of events says, up to what is waited for."""
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Cookie": self._cookie})
            answer, text = connection.getresponse(), ""
            while not until(text):
                line = answer.readline().decode()
                assert line, f"the stream has ended: {text}"
                text += line
            return text
        finally:
            connection.close()

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None) -> Page:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Cookie": self._cookie, "Accept": "text/html", **headers})
            answer = connection.getresponse()
            return Page(answer.status, answer.read().decode(), {key.lower(): value for key, value in answer.getheaders()})
        finally:
            connection.close()


@contextmanager
def served(connect: Callable[[], Awaitable[Connection]], *, may_write: bool = True) -> Iterator[Served]:
    """A dashboard whose viewer has that connection, until the end of the block."""
    started: Future[Served] = Future()
    ended: list[Callable[[], object]] = []

    async def run() -> None:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(ApiClient.open(await connect()))
            access, lookout = OneTimeUrl(Viewer("you", client, may_write=may_write)), Lookout()
            where, site = bound(HOST, 0), Site(title="test")
            stack.callback(where.close)
            part = workload_part(site, lookout, may_write=may_write)
            app = application(site, access, [part], hosts=frozenset({HOST}), cookie="test")
            tasks = [asyncio.create_task(serve(app, where)), asyncio.create_task(lookout.run())]
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            ended.append(lambda: loop.call_soon_threadsafe(stop.set))
            started.set_result(Served(f"http://{HOST}:{where.getsockname()[1]}", access.key))
            await stop.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        # Connections over TLS say farewell in further turns of the loop, and complain when it ends before.
        await asyncio.sleep(0.3)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="dashboard", daemon=True)
    thread.start()
    try:
        yield started.result(PATIENCE)
    finally:
        for end in ended:
            end()
        thread.join(PATIENCE)
