"""`GET /drain-wait`: what is read from the query, and how its answers look."""

import asyncio
from collections.abc import Callable, Collection

import msgspec
import pytest

from remora.controller import drain
from remora.controller.drain import Drains, parse_question
from remora.core.errors import HAProxyUnreachable
from remora.core.names import NamespacedName
from remora.model import Model
from remora.observe.drain import DrainState
from remora.observe.live_sessions import PodSessions, ServiceSessions
from tests.support.models import ORIGIN, backend, endpoint

DRAINING = endpoint("a", 80, draining=True)
ROUTED = Model((), (backend(DRAINING, endpoint("b", 80)),))


class Readings:
    """Sessions and connections that go down by one with every look."""

    def __init__(self, sessions: int = 0, connections: int = 0) -> None:
        self.sessions = sessions
        self.connections = connections
        self.asked: list[Collection[str]] = []
        self.then: Callable[[], None] = lambda: None

    async def read(self) -> tuple[ServiceSessions, ...]:
        ids = frozenset(map(str, range(self.sessions)))
        self.sessions = max(0, self.sessions - 1)
        return (ServiceSessions(ORIGIN, True, True, (PodSessions("a", DRAINING.state, ids, ids),)),)

    async def read_connections(self, servers: Collection[str]) -> int:
        self.asked.append(set(servers))
        self.then()
        self.connections -= 1
        return max(0, self.connections + 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "POLL", 0.001)


def drains(readings: Readings, model: Model = ROUTED) -> Drains:
    found = Drains(readings, readings)
    found.tell(model)
    return found


def query(**words: str) -> dict[str, str]:
    return {"namespace": ORIGIN.namespace, "pod": "a", **words}


async def test_it_answers_when_the_last_session_is_gone() -> None:
    answer = await drains(Readings(3, 5)).answer(query(timeout="1m"))
    assert (answer.status, answer.body) == (
        200,
        f"pod {ORIGIN.namespace}/a (draining): 0 live sessions, 0 connections\n".encode(),
    )


async def test_it_answers_when_the_time_is_up() -> None:
    answer = await drains(Readings(1000)).answer(query(timeout="0"))
    assert (answer.status, answer.content_type) == (409, "text/plain")
    assert b"1000 live sessions" in answer.body
    told = await drains(Readings(1000)).answer(query(timeout="0", output="json"))
    assert told.status == 200
    assert msgspec.json.decode(told.body, type=DrainState).is_over is False


async def test_a_pod_to_which_no_route_leads_has_nothing_to_wait_for() -> None:
    assert (await drains(Readings()).answer(query(pod="stranger"))).status == 404


async def test_a_pod_that_leaves_its_services_is_asked_about_on() -> None:
    readings = Readings(0, 4)
    found = drains(readings)
    readings.then = lambda: found.tell(Model())
    answer = await found.answer(query(timeout="1m"))
    assert answer.body.decode().strip() == f"no route leads to pod {ORIGIN.namespace}/a any more"
    assert answer.status == 200
    assert readings.asked == [{DRAINING.key}] * 5


async def test_a_controller_that_has_just_begun_waits_and_does_not_call_a_pod_unknown() -> None:
    found = Drains(Readings(), Readings())
    with pytest.raises(HAProxyUnreachable, match="not know the pods yet"):
        await found.answer(query(timeout="0"))
    waiting = asyncio.create_task(found.answer(query(timeout="1m")))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    found.tell(ROUTED)
    assert (await waiting).status == 200


@pytest.mark.parametrize(
    ("words", "message"),
    [({}, "which pod"), ({"pod": "a", "timeout": "soon"}, "timeout"), ({"pod": "a", "output": "xml"}, "text or json")],
)
async def test_a_question_that_cannot_be_read_says_what_would_be_right(words: dict[str, str], message: str) -> None:
    answer = await drains(Readings()).answer(words)
    assert answer.status == 400
    assert message in answer.body.decode()


def test_a_question_has_usual_answers() -> None:
    asked = parse_question({"pod": "a"})
    assert (asked.pod, asked.timeout) == (NamespacedName("default", "a"), 30)
    assert parse_question({"pod": "a", "timeout": "9d"}).timeout == drain.LONGEST
