"""A client's channels on one side, a command on the other."""

import asyncio
import json
from collections.abc import Collection

from remora.cluster.api.errors import internal_error
from remora.cluster.api.node import Console, Size
from remora.cluster.api.streams.channels import ERROR, RESIZE, STDIN, STDOUT, Message
from remora.cluster.api.streams.connection import Gone
from remora.cluster.api.streams.remote_command import Wanted, run_command

TERMINAL = Wanted(stdin=True, stdout=True, stderr=False, tty=True)


class Client:
    """Says what it is given, and then stays until it is told to go."""

    version = 5

    def __init__(self, *messages: Message) -> None:
        self.waiting = list(messages)
        self.received: list[tuple[int, bytes]] = []
        self.leaves = asyncio.Event()
        self.is_finished = False

    async def begin(self, expected: Collection[int]) -> bool:
        return True

    async def receive(self) -> Message | None:
        if not self.waiting:
            await self.leaves.wait()
            return None
        return self.waiting.pop(0)

    async def send(self, channel: int, data: bytes) -> None:
        self.received.append((channel, data))

    async def finish(self) -> None:
        self.is_finished = True


async def test_input_comes_in_order_and_ends() -> None:
    client = Client(Message(STDIN, b"a"), Message(STDIN, b"b"), Message(STDIN, is_last=True), Message(STDIN, b"late"))

    async def command(console: Console) -> int:
        while data := await console.read():
            await console.write(data.upper())
        assert await console.read() == b""
        return 0

    await run_command(client, TERMINAL, command)
    assert client.received[:-1] == [(STDOUT, b"A"), (STDOUT, b"B")]
    assert json.loads(client.received[-1][1])["status"] == "Success"
    assert client.is_finished


async def test_only_the_newest_size_is_told() -> None:
    client = Client(
        Message(RESIZE, b'{"Width":1,"Height":1}'), Message(RESIZE, b"nonsense"), Message(RESIZE, b'{"Width":80,"Height":24}')
    )
    sizes = []

    async def command(console: Console) -> int:
        while client.waiting:
            await asyncio.sleep(0)
        sizes.append(await console.resized())
        return 0

    await run_command(client, TERMINAL, command)
    assert sizes == [Size(80, 24)]


async def test_input_that_nobody_reads_makes_the_client_wait() -> None:
    client = Client(*(Message(STDIN, b"x") for _ in range(1000)))

    async def command(console: Console) -> int:
        for _ in range(2000):
            await asyncio.sleep(0)
        return 0

    await run_command(client, TERMINAL, command)
    assert len(client.waiting) > 900


async def test_a_client_that_goes_cancels_the_command() -> None:
    client = Client()
    was_cancelled = asyncio.Event()

    async def command(console: Console) -> int:
        client.leaves.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()
        return 0

    await run_command(client, TERMINAL, command)
    assert was_cancelled.is_set()
    assert client.received == []


async def test_output_for_a_client_that_has_gone_cancels_the_command_though_input_waits() -> None:
    class Deaf(Client):
        async def send(self, channel: int, data: bytes) -> None:
            raise Gone

    client = Deaf(*(Message(STDIN, b"x") for _ in range(1000)))

    async def command(console: Console) -> int:
        while True:
            await console.write(b"more")

    async with asyncio.timeout(20):
        await run_command(client, TERMINAL, command)


async def test_a_refusal_is_the_status_on_the_error_channel() -> None:
    client = Client()

    async def command(console: Console) -> int:
        raise internal_error("no such program")

    await run_command(client, TERMINAL, command)
    ((channel, said),) = client.received
    assert channel == ERROR
    assert json.loads(said)["message"] == "Internal error occurred: no such program"
