"""Sends the same requests to two controllers, and takes sessions from one to the other and back."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from remora.core.errors import UsageError
from remora.migrate.compare import (
    Answer,
    Comparison,
    Ignoring,
    Trail,
    Visit,
    cookie_pair,
    differences,
    find_pod,
    trail_differences,
)
from remora.migrate.requests import Replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

AT_ONCE = 8
"""Requests under way at the same time, to each of the two."""
TIMEOUT = 30.0


class Sides(msgspec.Struct, frozen=True):
    """The two controllers by their URLs, and how an answer says which pod it is of."""

    old: str
    new: str
    pod_by: str = "auto"
    sessions: int = 3
    """How many sessions are begun for each route that has them."""


def base_url(address: str, option: str) -> str:
    """`http://ADDRESS`, of an address with a scheme or without.

    Raises:
        UsageError: it is none.
    """
    from urllib.parse import urlsplit

    url = address if "://" in address else f"http://{address}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise UsageError(f"{option} {address}: give an address such as 192.0.2.1, 192.0.2.1:8080 or https://192.0.2.1")
    return url.rstrip("/")


def replay(
    requests: Sequence[Replay], sides: Sides, ignoring: Ignoring, *, tell: Callable[[int], None] = lambda _: None
) -> Comparison:
    """The comparison over all requests; `tell` is called with how many are done."""
    return asyncio.run(_replay(requests, sides, ignoring, tell))


async def _replay(requests: Sequence[Replay], sides: Sides, ignoring: Ignoring, tell: Callable[[int], None]) -> Comparison:
    async with _client() as session:
        asking = Asking(session, sides)
        gate = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def compare(one: Replay) -> tuple[Answer, Answer]:
            nonlocal done
            async with gate:
                old, new = await asyncio.gather(asking.ask("old", one), asking.ask("new", one))
            done += 1
            tell(done)
            return old, new

        pairs = await asyncio.gather(*map(compare, requests))
        found = [each for one, pair in zip(requests, pairs, strict=True) for each in differences(one, *pair, ignoring)]
        trails = await _trails(asking, requests, [old for old, _ in pairs], sides.sessions)
    followed = [trail for trail in trails if trail.visits[0].pod]
    found += [each for trail in followed for each in trail_differences(trail)]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Comparison(len(requests), len(followed), len(trails) - len(followed), tuple(found), taken_at=now)


async def _trails(asking: "Asking", requests: Sequence[Replay], old: Iterable[Answer], number: int) -> list[Trail]:
    """For every route whose session cookie the old controller sets: sessions that begin there, and some that begin anew."""
    routes: dict[tuple[str, str], Replay] = {}
    for request, answer in zip(requests, old, strict=True):
        if request.cookie and request.method == "GET" and cookie_pair(answer, request.cookie):
            routes.setdefault((request.host, request.cookie), request)
    trails = []
    for request in routes.values():
        for first, second in (("old", "new"), ("new", "old")):
            for _ in range(number):
                trails.append(await asking.follow(request, first, second))
    return trails


class Asking:
    """Asks the two controllers."""

    def __init__(self, session: "aiohttp.ClientSession", sides: Sides) -> None:
        self._session = session
        self._sides = sides

    async def ask(self, side: str, request: Replay, cookie: str = "") -> Answer:
        """One answer, or what kept it from coming."""
        import aiohttp
        from yarl import URL

        base = self._sides.old if side == "old" else self._sides.new
        headers = [("Host", request.host), *request.headers, *([("Cookie", cookie)] if cookie else [])]
        url = URL(base + request.path, encoded=True)
        body = request.body.encode() or None
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False, ssl=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return Answer(error=f"no answer: {type(error).__name__}")
        written = tuple((name, value) for name, value in response.headers.items())
        return Answer(response.status, written, content, find_pod(written, content, self._sides.pod_by))

    async def follow(self, request: Replay, first: str, second: str) -> Trail:
        """A session that begins at one controller, goes to the other, and comes back with what that made of its cookie."""
        name = request.cookie
        begun = await self.ask(first, request)
        cookie = cookie_pair(begun, name)
        there = await self.ask(second, request, cookie)
        kept = cookie_pair(there, name) or cookie
        back = await self.ask(first, request, kept)
        again = await self.ask(second, request, cookie_pair(back, name) or kept)
        visits = (
            Visit(first, "no cookie", begun.pod, begun.status),
            Visit(second, f"a cookie of the {first} one", there.pod, there.status),
            Visit(first, f"the cookie after the {second} one", back.pod, back.status),
            Visit(second, f"the cookie after the {first} one again", again.pod, again.status),
        )
        return Trail(request, visits)


@asynccontextmanager
async def _client() -> "AsyncIterator[aiohttp.ClientSession]":
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    jar = aiohttp.DummyCookieJar()
    headers = {"User-Agent": "remora-compare", "Accept": "*/*", "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=jar, headers=headers) as session:
        yield session
