"""The admission webhook's listener: HTTPS in, and an answer that somebody else makes, within bounds of size and time."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from remora.core.errors import ConfigurationError
from remora.watch.snapshot import Snapshot

LARGEST = 9 << 20
PATIENCE = 8.0
"""Seconds for one answer; API servers wait for ten unless told otherwise."""
AT_ONCE = 2
"""Answers under way. A review that takes too long keeps its thread until it ends, so there is a second."""
LOOK = 1.0
"""Seconds between two looks at the certificate."""

Judge = Callable[[bytes, Snapshot], tuple[int, bytes]]
"""Makes the HTTP status and the body for a review, by what is in the cluster."""

_log = logging.getLogger(__name__)


class WebhookSettings(msgspec.Struct, frozen=True):
    """Where to listen, and the PEM files of certificate and key. `hosts` are addresses."""

    hosts: tuple[str, ...]
    port: int
    certificate: str
    key: str


class Certificate:
    """A context for TLS whose certificate follows the files: connections of from then on get the new one."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._files = (Path(settings.certificate), Path(settings.key))
        self._loaded: tuple[bytes, ...] = ()

    def load(self) -> bool:
        """Loads the files if they hold something else than before, and says whether they do.

        Raises:
            ConfigurationError: they cannot be read, or do not fit each other.
        """
        try:
            found = tuple(file.read_bytes() for file in self._files)
            if found == self._loaded:
                return False
            # OpenSSL takes the certificate before it finds that the key is another's: what is tried must not be in use.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(f"the webhook's certificate {self._files[0]} cannot be used: {error}") from error
        self._loaded = found
        return True

    async def follow(self) -> None:
        """Looks at the files for ever; what cannot be used leaves the certificate of before in use."""
        complaint = ""
        while True:
            await asyncio.sleep(LOOK)
            try:
                if self.load():
                    _log.info("the webhook has a new certificate")
                complaint = ""
            except ConfigurationError as error:
                if str(error) != complaint:
                    _log.warning("%s; the one of before stays", error)
                complaint = str(error)


@asynccontextmanager
async def reviewing(
    settings: WebhookSettings, judge: Judge, *, read_snapshot: Callable[[], Snapshot | None], patience: float = PATIENCE
) -> AsyncIterator[None]:
    """Answers reviews with what `judge` makes of them. Without a snapshot nothing is known yet, and nothing is judged.

    Raises:
        ConfigurationError: the certificate cannot be used, or the address not be listened on.
    """
    certificate = Certificate(settings)
    certificate.load()
    threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    async def review(request: web.Request) -> web.Response:
        snapshot = read_snapshot()
        if snapshot is None:
            return web.Response(status=503, text="what is in the cluster is not known yet")
        if (request.content_length or 0) >= LARGEST:
            return web.Response(status=413, text="the review is too large")
        try:
            async with asyncio.timeout(patience):
                body = await request.read()
                status, answer = await asyncio.get_running_loop().run_in_executor(threads, judge, body, snapshot)
        except TimeoutError:
            _log.warning("a review of %d bytes took more than %g s", request.content_length or 0, patience)
            return web.Response(status=500, text=f"the review took more than {patience:g} s")
        except web.HTTPException:
            raise
        except Exception:
            _log.exception("an error of Remora itself in a review")
            return web.Response(status=500, text="an error of Remora itself; its log says more")
        return web.Response(status=status, body=answer, content_type="application/json" if status == 200 else "text/plain")

    application = web.Application(client_max_size=LARGEST)
    application.router.add_post("/{any:.*}", review)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    follower = asyncio.create_task(certificate.follow())
    try:
        for host in settings.hosts:
            await _listen(web.TCPSite(runner, host, settings.port, ssl_context=certificate.context), host, settings.port)
        yield
    finally:
        follower.cancel()
        await runner.cleanup()
        threads.shutdown(wait=False, cancel_futures=True)


async def _listen(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        # A machine without IPv6 is none to complain about.
        if host == "::":
            return
        raise ConfigurationError(f"--validating-webhook: cannot listen on {host} port {port}: {error.strerror}") from error
