"""Serves the cluster's DNS: follows what answers depend on, and answers by UDP and TCP at each of its places.

A place that cannot be had (port 53, for an ordinary user) costs only itself.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from functools import partial

import dns.message
import dns.rrset
import msgspec

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.loop import follow
from remora.cluster.dns.answer import Answer, Elsewhere, Found, Zone, decide
from remora.cluster.dns.directory import Directory
from remora.cluster.dns.forward import Forwarder
from remora.cluster.dns.message import Question, Unreadable, failure, parse_question, reply, to_udp
from remora.cluster.objects import Object

_log = logging.getLogger(__name__)

_SLICES = "endpointslices.discovery.k8s.io"
_IDLE = 10.0
"""Seconds after which a TCP connection that asks nothing is closed."""


class Place(msgspec.Struct, frozen=True):
    """An address and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class DnsServer:
    """Answers for one cluster. Without a `forwarder` other names are refused."""

    def __init__(self, *, registry: Registry, zone: Zone, places: Sequence[Place], forwarder: Forwarder | None) -> None:
        self._registry = registry
        self._zone = zone
        self._places = places
        self._forwarder = forwarder
        self._directory = Directory()
        self._busy: set[asyncio.Task[None]] = set()
        self.listening = asyncio.Event()
        self.serving: tuple[Place, ...] = ()
        """Where it could listen."""

    async def run(self) -> None:
        """Serves until cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            self.serving = tuple([place for place in self._places if await self._listen(stack, place)])
            async with asyncio.TaskGroup() as group:
                tables = (
                    ("namespaces", self._directory.set_namespace, self._directory.clear_namespaces),
                    ("services", self._directory.set_service, self._directory.clear_services),
                    (_SLICES, self._directory.set_slice, self._directory.clear_slices),
                )
                for resource, note, clear in tables:
                    group.create_task(follow(self._registry, resource, partial(_changed, note), begins=clear))
                self.listening.set()

    async def answer(self, question: Question) -> dns.message.Message:
        """The answer to one question."""
        found = decide(self._directory, self._zone, question.name, question.type)
        if isinstance(found, Elsewhere) and self._forwarder is not None:
            return await self._passed_on(question)
        response = reply(question, found, self._zone, forwards=self._forwarder is not None)
        await self._follow_elsewhere(question, found, response)
        return response

    async def _passed_on(self, question: Question) -> dns.message.Message:
        assert self._forwarder is not None
        other = await self._forwarder.ask(question.message)
        if other is None:
            return failure(question)
        response = failure(question)
        response.set_rcode(other.rcode())
        response.answer, response.authority = list(other.answer), list(other.authority)
        return response

    async def _follow_elsewhere(self, question: Question, found: Answer, response: dns.message.Message) -> None:
        """Adds the addresses of an ExternalName's target, which libc expects in one answer."""
        if not isinstance(found, Found) or not found.elsewhere or self._forwarder is None or question.type == "CNAME":
            return
        query = dns.message.make_query(found.elsewhere, question.type)
        if other := await self._forwarder.ask(query):
            response.answer += other.answer

    async def _listen(self, stack: contextlib.AsyncExitStack, place: Place) -> bool:
        loop = asyncio.get_running_loop()
        try:
            server = await asyncio.start_server(self._serve_connection, place.address, place.port)
            stack.push_async_callback(_close, server)
            transport, _ = await loop.create_datagram_endpoint(
                partial(_Datagrams, self._serve_datagram), local_addr=(place.address, place.port)
            )
            stack.callback(transport.close)
        except OSError as error:
            _log.info("DNS is not served at %s: %s", place, error.strerror or error)
            return False
        return True

    def _serve_datagram(self, data: bytes, send: Callable[[bytes], None]) -> None:
        question = parse_question(data)
        if isinstance(question, Unreadable):
            if question.reply:
                send(question.reply)
            return
        task = asyncio.create_task(self._answer_datagram(question, send))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _answer_datagram(self, question: Question, send: Callable[[bytes], None]) -> None:
        try:
            send(to_udp(question, await self.answer(question)))
        except Exception:
            # One question's trouble must not end the others.
            _log.exception("DNS: %s %s", question.name, question.type)
            send(failure(question).to_wire())

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_IDLE):
                    data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                question = parse_question(data)
                answer = await self._stream_answer(question)
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _stream_answer(self, question: Question | Unreadable) -> bytes:
        return question.reply if isinstance(question, Unreadable) else (await self.answer(question)).to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, serve: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._serve = serve
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._serve(data, partial(self._send, addr))

    def _send(self, addr: tuple[str, int], data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, addr)


def _changed(note: Callable[..., None], event: WatchEvent) -> None:
    obj: Object = event.object
    note(obj, is_there=event.type != "DELETED")


async def _close(server: asyncio.Server) -> None:
    server.close()
