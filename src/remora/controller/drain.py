"""`GET /drain-wait`: answers when a pod's sessions are gone, or the time is up."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from remora.annotations.values import ValueRefused, duration
from remora.core.errors import HAProxyUnreachable
from remora.core.names import NamespacedName
from remora.model import Model
from remora.observe.drain import LEFT, DrainState, describe, drain_state, is_over, servers_of
from remora.observe.health import Answer
from remora.observe.live_sessions import ServiceSessions

POLL = 1.0
LONGEST = 24 * 3600
"""Seconds that one question may wait."""
DEFAULT_TIMEOUT = "30s"

OVER, UNKNOWN, STILL_THERE, UNREADABLE = 200, 404, 409, 400
"""Statuses of an answer in text; none of them is one after which clients try again. One in JSON has 200, and says itself how it
is."""


class DrainQuestion(msgspec.Struct, frozen=True):
    """Whose sessions, and how many seconds to wait."""

    pod: NamespacedName
    timeout: float
    with_digests: bool = False
    as_json: bool = False


class SessionReadings(Protocol):
    """What is needed of the sessions that live now."""

    async def read(self) -> tuple[ServiceSessions, ...]: ...


class ConnectionSource(Protocol):
    """What is needed of HAProxy's readings."""

    async def read_connections(self, servers: Collection[str]) -> int: ...


class Drains:
    """Answers for the Model that was told last.

    Raises (all readings): HAProxyUnreachable if HAProxy does not say, or nothing runs yet as far as is known.
    """

    def __init__(self, sessions: SessionReadings, connections: ConnectionSource) -> None:
        self._sessions = sessions
        self._connections = connections
        self._model: Model | None = None

    def tell(self, model: Model) -> None:
        """Takes the Model that HAProxy runs from now on."""
        self._model = model

    async def answer(self, query: Mapping[str, str]) -> Answer:
        """The answer to `GET /drain-wait` with that query."""
        try:
            question = parse_question(query)
        except ValueError as error:
            return Answer(UNREADABLE, f"{error}\n".encode())
        state = await self.wait(question)
        if question.as_json:
            return Answer(OVER, msgspec.json.encode(state), "application/json")
        status = STILL_THERE if not state.is_over else OVER if state.state else UNKNOWN
        return Answer(status, f"{describe(state)}\n".encode())

    async def wait(self, question: DrainQuestion) -> DrainState:
        """The pod's state when its sessions are gone or the time is up."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        servers: set[str] = set()
        while True:
            # A pod that has left its Services may still finish requests on the servers that it had.
            waited = clock() - begun
            model = self._model
            if model is None and waited < question.timeout:
                # A controller that has just begun: that it knows no pod yet means nothing.
                await asyncio.sleep(min(POLL, question.timeout - waited))
                continue
            if model is None:
                raise HAProxyUnreachable("the controller does not know the pods yet")
            servers |= (await asyncio.to_thread(servers_of, model, question.pod)).keys()
            state = await self._read(model, question, servers)
            if is_over(state, waited, timeout=question.timeout):
                left = servers and not state.state
                return msgspec.structs.replace(state, is_over=True, state=LEFT if left else state.state)
            if waited >= question.timeout:
                return state
            await asyncio.sleep(min(POLL, question.timeout - waited))

    async def _read(self, model: Model, question: DrainQuestion, servers: Collection[str]) -> DrainState:
        services = await self._sessions.read()
        connections = await self._connections.read_connections(servers) if servers else 0
        return await asyncio.to_thread(
            lambda: drain_state(model, services, question.pod, connections=connections, with_digests=question.with_digests)
        )


def parse_question(query: Mapping[str, str]) -> DrainQuestion:
    """The question in a URL's query.

    Raises:
        ValueError: it names no pod, or what it says cannot be read; the message says what would be right.
    """
    pod = query.get("pod", "")
    if not pod:
        raise ValueError("which pod? /drain-wait?namespace=NAMESPACE&pod=POD&timeout=5m")
    try:
        timeout = duration(query.get("timeout") or DEFAULT_TIMEOUT)
    except ValueRefused as refusal:
        raise ValueError(f"timeout: {refusal}") from refusal
    output = query.get("output", "text")
    if output not in ("text", "json"):
        raise ValueError("output: text or json")
    name = NamespacedName(query.get("namespace") or "default", pod)
    return DrainQuestion(name, min(timeout, LONGEST), bool(query.get("digests")), output == "json")
