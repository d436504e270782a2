"""Follows the logs of all chosen containers: finds the pods, starts and ends a follower for each container, and prints."""

import asyncio
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import msgspec

from remora.cli.tailing.choice import Choice, Source, sources_of
from remora.cli.tailing.follow import Beginning, Cell, Follower, Reader, Slots
from remora.cli.tailing.lines import Line
from remora.cli.tailing.look import Look
from remora.core.errors import ApiServerRefused, RemoraError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.kube.objects.running_pod import RunningPod
from remora.kube.reflector import Reflector, Relisted, Told
from remora.kube.resources import Scope
from remora.kube.wire import Decoder

_HEARTBEAT = 0.5
"""Seconds between two looks at whether the API server answers."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is tailed, and how. Without a namespace all are meant; `limit` bounds the logs that are read at a time."""

    choice: Choice
    look: Look
    namespace: str = ""
    selector: str = ""
    beginning: Beginning = Beginning()
    limit: int = 300
    previous: bool = False
    kubeconfig: str = ""
    context: str = ""


Write = Callable[[bytes], None]
Say = Callable[[str], None]


def write_to(descriptor: int) -> Write:
    """Writes all of it before it returns, and keeps nothing back: a reader that is slow slows down the reading of logs."""

    def write(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


async def tail(wish: Wish, *, follow: bool, write: Write, say: Say) -> int:
    """Prints until it is interrupted, or without `follow` what there is; the number of logs that were read.

    Raises:
        RemoraError: the API server cannot be reached, or does not let us list pods.
        BrokenPipeError: nobody reads along any more.
    """
    connection = await connect(wish.kubeconfig, wish.context)
    async with ApiClient.open(connection) as client:
        tailing = _Tailing(client, wish, write, say)
        pods = await _list(client, wish)
        return await (tailing.follow(pods) if follow else tailing.read(pods))


class _Tailing:
    """All containers that are tailed at a time."""

    def __init__(self, client: ApiClient, wish: Wish, write: Write, say: Say) -> None:
        self._client = client
        self._wish = wish
        self._write = write
        self._say = say
        self._cells: dict[NamespacedName, Cell] = {}
        self._sources: set[Source] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._slots = Slots(wish.limit, self._limited)
        self._is_begun = False

    async def read(self, pods: list[RunningPod]) -> int:
        """What the logs hold now, one after the other; how many could be read."""
        number = 0
        for source in sorted(source for pod in pods for source in sources_of(pod, self._wish.choice)):
            reader = Reader(self._client, source, self._show)
            try:
                await reader.read(self._wish.beginning, **({"previous": "true"} if self._wish.previous else {}))
            except ApiServerRefused as error:
                self._say(f"{self._wish.look.name(source)} has no log to show: {error.message}")
            else:
                number += 1
        return number

    async def follow(self, pods: list[RunningPod]) -> int:
        """Goes on until it is cancelled."""
        if not any(True for pod in pods for _ in sources_of(pod, self._wish.choice)):
            self._say(f"no container is meant by this yet in {_place(self._wish)}; waiting for one (Ctrl-C ends)")
        scope = Scope(RunningPod, self._wish.namespace, selector=self._wish.selector)
        reflector = Reflector(self._client, scope, sink=self._hear, jitter=random.random)
        with _silent(logging.getLogger("remora.kube.reflector")):  # `_watch_over` says it in our words
            async with _group_for_people() as self._tasks:
                self._tasks.create_task(reflector.run())
                self._tasks.create_task(self._watch_over(reflector))
        return len(self._sources)

    async def _hear(self, news: Relisted | Told) -> None:
        if isinstance(news, Relisted):
            pods = [pod for pod in news.objects if isinstance(pod, RunningPod)]
            for key in self._cells.keys() - {pod.key for pod in pods}:
                self._forget(key)
            for pod in pods:
                self._learn(pod)
            self._is_begun = True
        elif isinstance(news.object, RunningPod):
            if news.type == "DELETED":
                self._forget(news.object.key)
            else:
                self._learn(news.object)

    def _learn(self, pod: RunningPod) -> None:
        cell = self._cells.get(pod.key)
        if cell is not None and cell.pod is not None and cell.pod.metadata.uid != pod.metadata.uid:
            self._forget(pod.key)
            cell = None
        if cell is not None:
            cell.put(pod)
        for source in sources_of(pod, self._wish.choice):
            if source not in self._sources:
                self._sources.add(source)
                self._start(source, self._cells.setdefault(pod.key, Cell(pod)))

    def _start(self, source: Source, cell: Cell) -> None:
        assert self._tasks is not None
        follower = Follower(
            self._client,
            source,
            cell,
            show=self._show,
            tell=self._tell,
            slots=self._slots,
            # Of a pod that joins later everything is news.
            beginning=Beginning() if self._is_begun else self._wish.beginning,
            greeting="joins" if self._is_begun else "is followed",
        )
        self._tasks.create_task(follower.run())

    def _forget(self, key: NamespacedName) -> None:
        if cell := self._cells.pop(key, None):
            cell.put(None)
        self._sources = {source for source in self._sources if source.key != key}

    def _show(self, source: Source, lines: list[Line]) -> None:
        look = self._wish.look
        if text := b"".join(look.render(source, line) for line in lines if look.takes(line)):
            self._write(text)

    def _tell(self, what: str, source: Source) -> None:
        self._say(f"{self._wish.look.name(source)} {what}")

    def _limited(self) -> None:
        limit = self._wish.limit
        self._say(
            f"note: {limit} logs are followed, and no more at a time; others wait until one of these ends. "
            f"Choose fewer by name, -l or -c, or raise --max-logs (now {limit})"
        )

    async def _watch_over(self, reflector: Reflector) -> None:
        """Says when the API server does not answer, and when it does again."""
        was_current = True
        while True:
            if reflector.is_current != was_current:
                was_current = reflector.is_current
                text = "answers again" if was_current else "does not answer; going on as soon as it does"
                self._say(f"note: the API server {text}")
            await asyncio.sleep(_HEARTBEAT)


async def _list(client: ApiClient, wish: Wish) -> list[RunningPod]:
    scope = Scope(RunningPod, wish.namespace, selector=wish.selector)
    pods = []
    async for page in client.list_pages(scope, Decoder(RunningPod)):
        pods += [pod for pod in page.objects if isinstance(pod, RunningPod)]
    return pods


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@asynccontextmanager
async def _group_for_people() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group; of its errors the first that `main` knows what to do with is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as errors:
        raise next(filter(_is_for_people, _leaves(errors)), errors) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _is_for_people(error: BaseException) -> bool:
    return isinstance(error, RemoraError | BrokenPipeError)


def _place(wish: Wish) -> str:
    place = f"namespace {wish.namespace}" if wish.namespace else "all namespaces"
    return place + (f" with {wish.selector}" if wish.selector else "")


def parse_since(text: str) -> int:
    """Whole seconds, at least one: the API server takes no others.

    Raises:
        ValueError: with what is needed.
    """
    from remora.cli.flags import parse_seconds

    days = re.fullmatch(r"(\d+)d", text)
    seconds = int(days[1]) * 86400.0 if days else parse_seconds(text)
    return max(1, round(seconds))
