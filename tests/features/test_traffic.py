"""`GET /traffic` with the real HAProxy under requests."""

import asyncio

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.controller.loop import Applied
from remora.controller.sessions import Sessions
from remora.controller.traffic import Traffic
from remora.core.problems import Problems
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Backend, ForwardTo, Model, SessionPolicy
from remora.observe.request_durations import RequestDurations
from remora.observe.traffic_report import TrafficReport
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods

TRACKED = msgspec.structs.replace(sticky(), sessions=SessionPolicy(tracking=True))


@pytest.fixture(autouse=True)
def read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reading is kept."""
    for name in (
        "apply.readings.SESSIONS_AGE",
        "apply.traffic.READING_AGE",
        "apply.traffic.SHARE",
        "controller.traffic.REPORT_AGE",
        "controller.traffic.SHARE",
    ):
        monkeypatch.setattr(f"remora.{name}", -1.0)


class Scene:
    """A controller's traffic, without a controller."""

    def __init__(self, executor: Executor, settings: ProxySettings) -> None:
        self._executor = executor
        self._configurator = Configurator(settings)
        self.sessions = Sessions(executor.readings)
        self.traffic = Traffic(executor.readings, self.sessions, RequestDurations(), replica="here")

    async def apply(self, wanted: Model) -> None:
        outcome = await self._executor.apply(self._configurator.configure(wanted))
        self.sessions.tell(wanted)
        self.traffic.tell(Applied(wanted, Problems(), (), outcome))

    async def read(self, **query: str) -> TrafficReport:
        return msgspec.json.decode(await self.traffic.answer(query), type=TrafficReport)


def wanted(*backends: Backend) -> Model:
    return model([host(route(action=ForwardTo(NAME, TRACKED)))], backends)


async def test_requests_are_counted_by_route_and_by_pod_across_reloads(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    scene = Scene(executor, proxy_settings)
    a, b = endpoint("a", await pods.start("a")), endpoint("b", await pods.start("b"))
    await scene.apply(wanted(backend(a, b)))
    _, headers, _ = await client.get("web.example")
    cookie = headers["set-cookie"].partition(";")[0]
    for status in (200, 200, 500):
        assert (await client.get("web.example", cookie=cookie, headers={"x-status": str(status)}))[0] == status
    await client.get("nobody.example")
    report = await scene.read()
    assert report.routes[0].requests == {"200": 3, "500": 1}
    assert report.unrouted == {"404": 1}
    assert sorted((one.requests, one.errors, one.sessions, one.state) for one in report.pods) == [
        (0, 0, 0, "ready"),
        (4, 1, 1, "ready"),
    ]
    assert report.proxy is not None
    assert report.proxy.version.startswith("2.8")
    assert [change.kind for change in report.changes] == ["start"]
    assert cookie.partition("=")[2] not in msgspec.json.encode(report).decode()
    assert '"client' not in msgspec.json.encode(await scene.read(digests="1")).decode()

    await executor.readings.read_traffic()
    await executor._reload(scene._configurator.configure(wanted(backend(a, b))), ("for the test",))
    # The connection that is open is still the former worker's, which ends with it.
    await client.get("nobody.example")
    assert (await client.get("web.example", cookie=cookie))[0] == 200
    after = await scene.read()
    assert sorted(one.requests for one in after.pods) == [0, 5]
    assert after.routes[0].requests["200"] == 4

    await scene.apply(wanted(backend(a)))
    last = await scene.read()
    assert {one.state for one in last.pods} == {"ready", "gone"}
    assert [change.kind for change in last.changes] == ["start", "runtime update"]


async def test_many_who_ask_at_once_cost_one_reading(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(executor, proxy_settings)
    await scene.apply(wanted(backend(endpoint("a", await pods.start("a")))))
    monkeypatch.setattr("remora.controller.traffic.REPORT_AGE", 60.0)
    first, *others = await asyncio.gather(*(scene.traffic.answer({}) for _ in range(5)))
    assert all(other is first for other in others)


async def test_while_haproxy_is_away_all_else_is_told(executor: Executor, proxy_settings: ProxySettings, pods: Pods) -> None:
    scene = Scene(executor, proxy_settings)
    await scene.apply(wanted(backend(endpoint("a", await pods.start("a")))))
    await executor.stop(grace=0.0)
    report = await scene.read()
    assert report.proxy is None
    assert [one.pod for one in report.pods] == ["a"]
