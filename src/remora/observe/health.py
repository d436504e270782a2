"""The health and metrics listener."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from remora.core.errors import ConfigurationError, HAProxyError

_log = logging.getLogger(__name__)

_BUSY_SHARE = 0.1
"""Of its time that the loop's thread works; from there on the loop's lag is looked at closely."""


_PIECE = 1 << 16


class Answer(msgspec.Struct, frozen=True):
    """What is answered to a question, where that is not always JSON and 200."""

    status: int
    body: bytes
    content_type: str = "text/plain"


Respond = Callable[[Mapping[str, str]], Awaitable[bytes | Answer]]
"""Makes an answer of a query."""


class Health:
    """Whether the controller is alive and ready. It is ready once HAProxy serves what the API says, and while HAProxy runs:
    `find_fault` says why nobody is served, or "".

    It counts as alive from then on, or at once when it adopted a HAProxy that serves what it last knew; before that the health
    check fails as that of ingress-nginx does, so that Deployments that use it for readiness send no client too early.
    """

    def __init__(self, find_fault: Callable[[], str] = str) -> None:
        self._find_fault = find_fault
        self.is_stopping = False
        self.has_adopted = False
        self.is_serving = False
        self.not_ready_because = "the API server's objects have not all been listed yet"

    @property
    def alive(self) -> tuple[int, str]:
        """Status and text of the health check; a controller that is going says so, so that it gets no new clients."""
        if self.is_stopping:
            return 500, "shutting down"
        return (200, "ok") if self.is_serving or self.has_adopted else (500, self.not_ready_because)

    @property
    def ready(self) -> tuple[int, str]:
        """Status and text of the readiness check."""
        if self.is_stopping:
            return 503, "shutting down"
        fault = self._find_fault() if self.is_serving else self.not_ready_because
        return (503, fault) if fault else (200, "ok")


@asynccontextmanager
async def listening(
    health: Health,
    render_metrics: Callable[[], Awaitable[bytes]],
    *,
    answers: Mapping[str, Respond] | None = None,
    hosts: Iterable[str],
    port: int,
    health_path: str,
) -> AsyncIterator[None]:
    """Answers `health_path`, `/readyz` and `/metrics`, and the paths of `answers` with what these make of a query: JSON, or an
    Answer.

    Raises:
        ConfigurationError: none of the addresses can be listened on.
    """

    async def alive(_: web.Request) -> web.Response:
        status, text = health.alive
        return web.Response(status=status, text=text)

    async def ready(_: web.Request) -> web.Response:
        status, text = health.ready
        return web.Response(status=status, text=text)

    async def metrics(_: web.Request) -> web.Response:
        return _response(await render_metrics(), "text/plain; version=0.0.4; charset=utf-8")

    def answering(answer: Respond) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            try:
                made = await answer(request.query)
            except HAProxyError as error:
                return web.Response(status=503, text=str(error))
            if isinstance(made, Answer):
                return web.Response(status=made.status, body=made.body, content_type=made.content_type, charset="utf-8")
            return _response(made, "application/json")

        return respond

    application = web.Application()
    for path, make in (answers or {}).items():
        application.router.add_get(path, answering(make))
    for path, answer in {"/healthz": alive, health_path: alive, "/readyz": ready, "/metrics": metrics}.items():
        application.router.add_get(path, answer)
    # Whoever waits and goes away is not to be answered for hours on end.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    try:
        await _listen(runner, tuple(hosts), port)
        yield
    finally:
        await runner.cleanup()


def _response(body: bytes, content_type: str) -> web.Response:
    """Given to the system in pieces: to copy ten megabytes at once takes as long as a change from event to commands does."""
    return web.Response(body=_pieces(body), headers={"Content-Type": content_type, "Content-Length": str(len(body))})


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for first in range(0, len(body), _PIECE):
        yield body[first : first + _PIECE]


async def _listen(runner: web.AppRunner, hosts: tuple[str, ...], port: int) -> None:
    refusals = []
    for host in hosts:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            refusals.append(f"{host} port {port}: {error.strerror}")
    if len(refusals) == len(hosts):
        raise ConfigurationError(
            f"--healthz-port: cannot listen on {'; '.join(refusals)}; choose another with --healthz-port or --healthz-host"
        )
    for refusal in refusals:
        _log.warning("health and metrics are not served on %s", refusal)


async def run_lag_meter(
    tell: Callable[[float, float], None], *, interval: float = 0.02, idle_interval: float = 0.1, window: float = 1.0
) -> None:
    """Tells how late the event loop was at the most, window after window; and how long of such a time its own thread computed,
    which is no other thread's or process's doing.

    Looks less often while the loop has nothing to do: each look wakes the process, and fifty a second cost half a percent of a
    core. What is over before the next look is due is not seen.
    """
    clock = asyncio.get_running_loop().time
    pause = interval
    while True:
        longest, computed, end = 0.0, 0.0, clock() + window
        while clock() < end:
            due, before = clock() + pause, time.thread_time()
            await asyncio.sleep(pause)
            late, used = clock() - due, time.thread_time() - before
            longest, computed = max(longest, late), max(computed, min(late, used))
            pause = interval if used > _BUSY_SHARE * pause else idle_interval
        tell(longest, computed)
