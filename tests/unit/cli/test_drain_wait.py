"""`remora drain-wait`: whom it asks, when it stops, and what it says meanwhile."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from remora.cli.drain import Wait, wait_drained
from remora.cli.health_ports import Whom
from remora.core.errors import RemoraError, UsageError
from remora.observe.drain import DrainState
from tests.support.api import FakeApi, running_api

LEFT_ALONE = DrainState("shop", "web-0", "draining", sessions=0, tracking="all", is_over=True)


@asynccontextmanager
async def controller(answers: Iterator[DrainState | None]) -> AsyncIterator[str]:
    """One that says these things in turn; None is a failure."""

    async def answer(request: web.Request) -> web.Response:
        assert request.query["timeout"] == "0"
        said = next(answers)
        return web.Response(status=503) if said is None else web.Response(body=msgspec.json.encode(said))

    application = web.Application()
    application.router.add_get("/drain-wait", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def wait(*, timeout: float = 30, drain: bool = False) -> Wait:
    return Wait("web-0", "shop", timeout, 0.001, drain)


def with_sessions(number: int, state: str = "draining") -> DrainState:
    return msgspec.structs.replace(LEFT_ALONE, sessions=number, state=state, is_over=False)


async def test_it_tells_of_every_change_and_ends_with_the_last_session() -> None:
    heard: list[str] = []
    said = [with_sessions(2), with_sessions(2), None, with_sessions(1), LEFT_ALONE]
    async with controller(iter(said)) as url:
        found = await wait_drained(Whom(url), wait(), tell=heard.append)
    assert found.is_over
    assert [line.rpartition(": ")[2] if "pod" in line else "failure" for line in heard] == [
        "2 live sessions, 0 connections",
        "failure",
        "1 live session, 0 connections",
    ]


async def test_when_the_time_is_up_it_says_who_is_left() -> None:
    async with controller(iter([with_sessions(2)])) as url:
        found = await wait_drained(Whom(url), wait(timeout=0), tell=lambda _: None)
    assert (found.is_over, found.sessions) == (False, 2)


async def test_a_controller_that_never_answers_is_an_error() -> None:
    async with controller(iter([None])) as url:
        with pytest.raises(RemoraError, match="503"):
            await wait_drained(Whom(url), wait(timeout=0), tell=lambda _: None)


async def test_a_pod_cannot_be_annotated_without_the_api_server() -> None:
    with pytest.raises(UsageError, match="--drain annotates the pod through the API server"):
        await wait_drained(Whom("http://127.0.0.1:1"), wait(drain=True), tell=lambda _: None)


def kubeconfig(api: FakeApi, directory: Path) -> str:
    path = directory / "kubeconfig"
    contexts = [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}]
    clusters = [{"name": "fake", "cluster": {"server": api.url}}]
    users = [{"name": "fake", "user": {"token": "secret"}}]
    path.write_text(json.dumps({"current-context": "fake", "contexts": contexts, "clusters": clusters, "users": users}))
    return str(path)


async def test_the_pod_is_annotated_first_if_that_is_asked_for(tmp_path: Path) -> None:
    async with running_api() as api:
        api.put("pods", {"metadata": {"name": "web-0", "namespace": "shop"}})
        with pytest.raises(RemoraError, match="no controller runs"):
            await wait_drained(Whom("", kubeconfig(api, tmp_path)), wait(timeout=0, drain=True), tell=lambda _: None)
        assert api.patches == [("pods/shop/web-0/", {"metadata": {"annotations": {"remora.io/session-drain": "true"}}})]


@pytest.mark.parametrize("drain", [False, True])
async def test_a_pod_that_does_not_exist_is_a_mistake_of_the_person(drain: bool, tmp_path: Path) -> None:
    async with running_api() as api:
        with pytest.raises(UsageError, match="there is no pod web-0 in namespace shop"):
            await wait_drained(Whom("", kubeconfig(api, tmp_path)), wait(drain=drain), tell=lambda _: None)
