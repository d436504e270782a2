"""Clients that keep a cookie, as many as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

COOKIE = "held"
HOST = "sticky.localhost"


@dataclass
class Visitor:
    """One client, the pods that it met in turn (each once in a row), and what went wrong.

    Its session belongs to the pod that its cookie names, which is the one that answered with that cookie. Another may answer in
    that one's place while it refuses connections, and is not `home` by that.
    """

    entry: str
    cookie: str = ""
    met: list[str] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)
    requests: int = 0
    home: str = ""
    missed: set[str] = field(default_factory=set)
    """Pods in whose place another one answered, though the cookie named them."""

    @property
    def pod(self) -> str:
        """Where it was last; "" before the first answer."""
        return self.met[-1] if self.met else ""

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """One request to the example application, which answers with the pod's id."""
        headers = {"Host": HOST} | ({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})
        self.requests += 1
        try:
            async with session.get(self.entry, headers=headers) as response:
                body = await response.read()
                if response.status != 200:
                    self.failures.append((response.status, body))
                    return
                pod = json.loads(body)["uuid"]
                if self.home and pod != self.home:
                    self.missed.add(self.home)
                if COOKIE in response.cookies:
                    self.cookie = response.cookies[COOKIE].coded_value
                    self.home = pod
        except (aiohttp.ClientError, TimeoutError) as error:
            self.failures.append(error)
            return
        if pod != self.pod:
            self.met.append(pod)


@asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for any number of visitors, who keep their cookies themselves."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=40)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as session:
        yield session


async def ask_all(visitors: Sequence[Visitor], session: aiohttp.ClientSession, *, at_once: int = 40) -> list[str]:
    """One request of each; where each of them was answered."""
    gate = asyncio.Semaphore(at_once)

    async def ask(visitor: Visitor) -> None:
        async with gate:
            await visitor.ask(session)

    await asyncio.gather(*(ask(visitor) for visitor in visitors))
    return [visitor.pod for visitor in visitors]
