"""Live sessions for all who ask: when HAProxy is asked, and what is kept."""

import msgspec

from remora.controller.sessions import Sessions
from remora.model import ForwardTo, Model, SessionPolicy
from remora.plan.outcome import BrokenCount, LiveSession, RequestCount
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky

A = endpoint("a", 8080)
TRACKED = msgspec.structs.replace(sticky(), sessions=SessionPolicy(tracking=True))
ROUTE = route(action=ForwardTo(NAME, TRACKED))
MODEL = model([host(ROUTE)], [backend(A)])


class Table:
    """An executor with a table that can change."""

    broken_sessions: tuple[BrokenCount, ...] = ()

    def __init__(self) -> None:
        self.entries: tuple[LiveSession, ...] = (LiveSession(ROUTE.id, A.key, "1" * 32, 5.0, False),)
        self.reads = 0

    async def read_sessions(self) -> tuple[LiveSession, ...]:
        self.reads += 1
        return self.entries

    async def read_counters(self) -> tuple[RequestCount, ...]:
        return ()


async def counted(sessions: Sessions) -> list[int]:
    return [len(pod.ids) for service in await sessions.read() for pod in service.pods]


async def test_what_was_reckoned_is_kept_until_the_table_or_the_model_is_another() -> None:
    table = Table()
    sessions = Sessions(table)
    sessions.tell(MODEL)
    first = await sessions.read()
    assert await sessions.read() is first
    table.entries = (*table.entries, LiveSession(ROUTE.id, A.key, "2" * 32, 5.0, False))
    assert await counted(sessions) == [2]
    sessions.tell(Model())
    assert await counted(sessions) == []


async def test_haproxy_is_not_asked_where_nothing_is_tracked() -> None:
    table = Table()
    sessions = Sessions(table)
    sessions.tell(model([host(route(action=ForwardTo(NAME, sticky())))], [backend(A)]))
    assert await counted(sessions) == [0]
    assert table.reads == 0


async def test_an_answer_is_json() -> None:
    sessions = Sessions(Table())
    sessions.tell(MODEL)
    answer = msgspec.json.decode(await sessions.answer({"service": "web"}))
    assert answer["services"][0]["sessions"] == 1
