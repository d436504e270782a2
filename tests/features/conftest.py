"""Fixtures for tests against the real HAProxy."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager

import aiohttp
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from tests.support.proxy import Client, Pods, free_ports, running_executor
from tests.support.rawpods import RawPod


@pytest.fixture
async def pods() -> AsyncIterator[Pods]:
    async with AsyncExitStack() as stack:
        yield Pods(stack)


@contextmanager
def new_settings() -> Iterator[ProxySettings]:
    # A Unix socket's path has at most 107 bytes, less than pytest's own temporary directories need.
    with tempfile.TemporaryDirectory(prefix="remora-") as directory:
        http_port, https_port = free_ports(2)
        yield ProxySettings(
            state_directory=directory,
            bind_addresses=("127.0.0.1",),
            http_port=http_port,
            https_port=https_port,
            threads=1,
            old_worker_timeout=5,
        )


@pytest.fixture(scope="module")
def module_settings() -> Iterator[ProxySettings]:
    """Of the HAProxy that all tests of a module use which are marked `one_haproxy`; it is gone afterwards."""
    with new_settings() as settings:
        yield settings
        asyncio.run(Executor(settings).stop(grace=0.2))


@pytest.fixture
def proxy_settings(request: pytest.FixtureRequest) -> Iterator[ProxySettings]:
    if request.node.get_closest_marker("one_haproxy"):
        yield request.getfixturevalue("module_settings")
    else:
        with new_settings() as settings:
            yield settings


@pytest.fixture
async def executor(request: pytest.FixtureRequest, proxy_settings: ProxySettings) -> AsyncIterator[Executor]:
    """With `one_haproxy` it adopts what the test before has left, which takes a tenth of the time of a start."""
    is_shared = request.node.get_closest_marker("one_haproxy") is not None
    async with running_executor(proxy_settings, leave=is_shared) as executor:
        yield executor


@pytest.fixture
async def client(proxy_settings: ProxySettings) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(session, proxy_settings)


@pytest.fixture
async def raw_pod() -> AsyncIterator[RawPod]:
    pod = RawPod()
    await pod.start()
    yield pod
    pod.stop()
