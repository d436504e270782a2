"""The webhook's listener, by HTTPS."""

import asyncio
import io
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from remora.controller import webhook
from remora.controller.webhook import LARGEST, Certificate, Judge, WebhookSettings, reviewing
from remora.core.errors import ConfigurationError
from remora.watch.snapshot import Snapshot
from tests.support.certificates import self_signed
from tests.support.proxy import free_ports


def echo(body: bytes, _snapshot: Snapshot) -> tuple[int, bytes]:
    return 200, body


class Asking:
    """Sends reviews."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, body: object, *, method: str = "POST") -> tuple[int, bytes]:
        async with self._session.request(method, self.url, data=body) as response:
            return response.status, await response.read()


def write_certificate(settings: WebhookSettings, name: str) -> None:
    pem = self_signed(name)
    Path(settings.certificate).write_bytes(pem)
    Path(settings.key).write_bytes(pem)


@pytest.fixture
def settings(tmp_path: Path) -> WebhookSettings:
    made = WebhookSettings(("127.0.0.1",), free_ports(1)[0], str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))
    write_certificate(made, "first.test")
    return made


@asynccontextmanager
async def running(
    settings: WebhookSettings, judge: Judge = echo, *, snapshot: Snapshot | None = None, patience: float = 10.0
) -> AsyncIterator[Asking]:
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    known = Snapshot() if snapshot is None else snapshot
    async with (
        reviewing(settings, judge, read_snapshot=lambda: known, patience=patience),
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Asking(session, f"https://127.0.0.1:{settings.port}/networking/v1/ingresses")


async def test_a_review_is_answered_on_any_path_and_only_to_post(settings: WebhookSettings) -> None:
    async with running(settings) as asking:
        assert await asking.ask(b"review") == (200, b"review")
        assert (await asking.ask(None, method="GET"))[0] == 405


async def test_a_review_that_is_too_large_is_turned_away_with_length_and_without(settings: WebhookSettings) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * (1 << 20)

    async with running(settings) as asking:
        assert (await asking.ask(io.BytesIO(b" " * LARGEST)))[0] == 413
        assert (await asking.ask(chunks()))[0] == 413
        assert (await asking.ask(io.BytesIO(b" " * (LARGEST - 1))))[0] == 200


async def test_a_judge_that_takes_too_long_costs_one_answer_and_no_other(settings: WebhookSettings) -> None:
    release = threading.Event()

    def slow(body: bytes, snapshot: Snapshot) -> tuple[int, bytes]:
        if body == b"slow":
            release.wait(30)
        return echo(body, snapshot)

    try:
        async with running(settings, slow, patience=0.2) as asking:
            assert (await asking.ask(b"slow"))[0] == 500
            assert await asking.ask(b"quick") == (200, b"quick")
    finally:
        release.set()


async def test_an_error_of_our_own_is_an_answer(settings: WebhookSettings) -> None:
    def broken(_body: bytes, _snapshot: Snapshot) -> tuple[int, bytes]:
        raise ZeroDivisionError

    async with running(settings, broken) as asking:
        assert (await asking.ask(b"review"))[0] == 500


async def test_nothing_is_judged_before_the_cluster_is_known(settings: WebhookSettings) -> None:
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    async with (
        reviewing(settings, echo, read_snapshot=lambda: None),
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"https://127.0.0.1:{settings.port}/", data=b"review") as response,
    ):
        assert response.status == 503


async def test_a_new_certificate_is_used_and_a_broken_one_is_not(
    settings: WebhookSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LOOK", 0.01)

    async def shown() -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", settings.port, ssl=context)
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found

    async def changed(before: bytes) -> bytes:
        async with asyncio.timeout(30):
            while (now := await shown()) == before:
                await asyncio.sleep(0.01)
        return now

    async with running(settings):
        first = await shown()
        write_certificate(settings, "second.test")
        second = await changed(first)
        Path(settings.key).write_text("no key")
        await asyncio.sleep(0.1)
        assert await shown() == second
        write_certificate(settings, "third.test")
        await changed(second)


def test_a_certificate_with_the_key_of_another_is_refused_and_the_one_of_before_stays(settings: WebhookSettings) -> None:
    certificate = Certificate(settings)
    assert certificate.load()
    assert not certificate.load()
    Path(settings.key).write_bytes(self_signed("other.test"))
    with pytest.raises(ConfigurationError):
        certificate.load()
