"""One container's log from beginning to end: through restarts of the container and broken connections, each line once."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable

import msgspec

from remora.cli.tailing.choice import Instance, Source, end_of, instance_of
from remora.cli.tailing.lines import Line, Shown, Splitter
from remora.core.errors import ApiServerRefused, ApiServerUnreachable
from remora.kube.client import ApiClient
from remora.kube.objects.running_pod import RunningPod

SILENCE = 300.0
"""Seconds without a line after which the log is asked for again, since a connection may be dead without saying so."""
GRACE = 1.0
"""Seconds for the API server to tell that a container ended, after its log did, and for more of a log after its pod's end."""
LONGEST_WAIT = 10.0
_FIRST_WAIT = 0.25

Show = Callable[[Source, list[Line]], None]
Tell = Callable[[str, Source], None]


class Beginning(msgspec.Struct, frozen=True):
    """From where a log is read at first: so many seconds ago, so many lines from its end; None is no bound."""

    since: int | None = None
    tail: int | None = None

    @property
    def query(self) -> dict[str, str]:
        wanted = {"sinceSeconds": self.since, "tailLines": self.tail}
        return {name: str(number) for name, number in wanted.items() if number is not None}


class Cell:
    """The latest that is known of a pod, None once it is gone, and a way to wait for the next."""

    def __init__(self, pod: RunningPod) -> None:
        self.pod: RunningPod | None = pod
        self.gone = asyncio.Event()
        self._news = asyncio.Event()

    def put(self, pod: RunningPod | None) -> None:
        self.pod = pod
        if pod is None:
            self.gone.set()
        self._news.set()
        self._news = asyncio.Event()

    async def next(self, within: float | None = None) -> None:
        """Returns when something was put, or the seconds are over."""
        try:
            async with asyncio.timeout(within):
                await self._news.wait()
        except TimeoutError:
            return


class Reader:
    """Reads logs of one container and shows what is new of them."""

    def __init__(self, client: ApiClient, source: Source, show: Show) -> None:
        self._client = client
        self._source = source
        self._show = show
        self._shown = Shown()
        self._begun: float | None = None
        self.pieces = 0
        """How many have come so far."""

    async def read(self, beginning: Beginning, **options: str) -> bool:
        """Reads until the API server ends it; whether there was anything new.

        Raises:
            ApiServerError: it broke off, or was refused.
        """
        query = {"container": self._source.container, "timestamps": "true", **self._place(beginning), **options}
        self._shown.begin_again()
        splitter, found = Splitter(), False
        # Where this breaks off, the line that was cut is not shown: it comes again.
        async for chunk in self._client.chunks(self._source.log_path, query, silence=SILENCE):
            self.pieces += 1
            found |= self._pass_on(splitter.feed(chunk))
            # Whoever prints without pause takes turns with all others.
            await asyncio.sleep(0)
        return self._pass_on(splitter.flush()) or found

    def _place(self, beginning: Beginning) -> dict[str, str]:
        """From where to read. If nothing was shown yet, then later what was printed since the first attempt."""
        now = asyncio.get_running_loop().time()
        if since := self._shown.since:
            return {"sinceTime": since}
        if self._begun is None or not beginning.query:
            self._begun = now
            return beginning.query
        return {"sinceSeconds": str((beginning.since or 0) + int(now - self._begun) + 1)}

    def _pass_on(self, texts: Iterable[bytes]) -> bool:
        lines = [line for text in texts if (line := self._shown.news(text))]
        if lines:
            self._show(self._source, lines)
        return bool(lines)


class Follower:
    """Follows a container as long as its pod is there."""

    def __init__(
        self,
        client: ApiClient,
        source: Source,
        cell: Cell,
        *,
        show: Show,
        tell: Tell,
        slots: "Slots",
        beginning: Beginning,
        greeting: str,
    ) -> None:
        self._reader = Reader(client, source, show)
        self._source = source
        self._cell = cell
        self._tell = tell
        self._slots = slots
        self._beginning = beginning
        self._greeting = greeting
        self._failures = 0

    async def run(self) -> None:
        """Ends when the pod is gone or none of its containers will run again."""
        before: Instance | None = None
        while instance := await self._next(before):
            if before is None:
                self._tell(self._greeting, self._source)
            elif before.id != instance.id:
                self._tell(f"restarted ({self._end()}), for the {_nth(instance.restarts)} time", self._source)
            if before is not None and (before.id != instance.id or self._failures):
                # Perhaps there is a rest of the instance before, which nobody could read in time.
                while not await self._attempt(previous="true") and self._cell.pod is not None:
                    continue
            before = instance
            if await self._attempt(follow="true"):
                before = await self._settled(instance)
        self._tell("is gone" if self._cell.pod is None else f"is finished ({self._end()})", self._source)

    async def _next(self, before: Instance | None) -> Instance | None:
        """The instance to read: the present one, unless it is over and was read."""
        while (pod := self._cell.pod) is not None:
            instance = instance_of(pod.container_status(self._source.container))
            is_read = instance is not None and before is not None and before.is_over and instance.id == before.id
            if instance is not None and not is_read:
                return instance
            if is_read and (pod.is_finished or self._is_initial(pod)):
                return None
            await self._cell.next()
        return None

    async def _settled(self, instance: Instance) -> Instance:
        """The instance after the end of its log: over, unless the API server says after a while that it still runs."""
        deadline = asyncio.get_running_loop().time() + GRACE
        while (left := deadline - asyncio.get_running_loop().time()) > 0 and (pod := self._cell.pod) is not None:
            now = instance_of(pod.container_status(self._source.container))
            if now is None or now.id != instance.id or now.is_over:
                break
            await self._cell.next(left)
        else:
            return instance if self._cell.pod is not None else _over(instance)
        return _over(instance)

    async def _attempt(self, **options: str) -> bool:
        """Reads the log; whether it came to its end. What goes wrong makes the next attempt wait."""
        try:
            is_news = await self._while_there(self._read_in_turn(options))
        except ApiServerRefused as error:
            if "previous" in options:
                return True  # the log of the instance before is gone, or there was none
            await self._refused(error)
            return False
        except ApiServerUnreachable:
            await self._wait()
            return False
        if "follow" in options or is_news:
            self._failures = 0
        return True

    async def _read_in_turn(self, options: dict[str, str]) -> bool:
        async with self._slots.one():
            return await self._reader.read(self._beginning, **options)

    async def _while_there(self, reading: Coroutine[None, None, bool]) -> bool:
        """What is read of the pod, and after its end what is still under way: the name may be another pod's by now."""
        read, gone = asyncio.create_task(reading), asyncio.create_task(self._cell.gone.wait())
        clock = asyncio.get_running_loop()
        try:
            await asyncio.wait((read, gone), return_when=asyncio.FIRST_COMPLETED)
            deadline, pieces = clock.time() + LONGEST_WAIT, -1
            while not read.done() and pieces != self._reader.pieces and clock.time() < deadline:
                pieces = self._reader.pieces
                await asyncio.wait((read,), timeout=GRACE)
            return read.done() and read.result()
        finally:
            read.cancel()
            gone.cancel()

    async def _refused(self, error: ApiServerRefused) -> None:
        if error.status == 403 and not self._failures:
            self._tell(f"cannot be read: {error.message}", self._source)
        await self._wait()

    async def _wait(self) -> None:
        self._failures += 1
        await self._cell.next(min(LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(self._failures - 1, 16)))

    def _is_initial(self, pod: RunningPod) -> bool:
        """Whether the container is one of those that run once, before the others."""
        status = pod.container_status(self._source.container)
        ended = status.state.terminated if status else None
        initial = self._source.container in (one.name for one in pod.spec.init_containers)
        return initial and ended is not None and ended.exit_code == 0

    def _end(self) -> str:
        status = self._cell.pod.container_status(self._source.container) if self._cell.pod else None
        return end_of(status) or "its end is not known"


class Slots:
    """A bounded number of logs that are read at a time; `tell` hears once when it is reached."""

    def __init__(self, number: int, tell: Callable[[], None]) -> None:
        self._semaphore = asyncio.Semaphore(number)
        self._tell = tell
        self._has_told = False

    def one(self) -> asyncio.Semaphore:
        """To be held while a log is read."""
        if self._semaphore.locked() and not self._has_told:
            self._has_told = True
            self._tell()
        return self._semaphore


def _over(instance: Instance) -> Instance:
    return msgspec.structs.replace(instance, is_over=True)


def _nth(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{endings.get(number % 10, 'th') if number % 100 not in (11, 12, 13) else 'th'}"
