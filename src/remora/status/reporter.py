"""Writes to the API what `addresses` and `events` decide: few at a time, and never in the way of routing.

What is told is only noted. Deciding looks at every Ingress, and waits for the turn of a thread.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from remora.core.differing import differing
from remora.core.errors import ApiServerError, ApiServerRefused, ConfigurationError
from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.kube.client import ApiClient
from remora.kube.objects import Ingress, Service
from remora.kube.resources import EVENTS, RESOURCES
from remora.status.addresses import Addresses, PublishSettings, StatusPatch, decide_addresses, decide_farewell, decide_patches
from remora.status.events import Note, Notebook, Saying, event_body, event_name
from remora.status.replicas import PATIENCE
from remora.watch.snapshot import Snapshot

AT_ONCE = 4
"""Patches under way at the same time."""
AT_FIRST, PER_SECOND = 500, 200
"""Statuses that are written without a pause, and after these: a twentieth of a core, where ten thousand wait after a start."""
EVENT_INTERVAL = 0.25
"""Seconds between two Events."""
MOST_UNNOTED = 1000
"""Reports that wait for their turn; of more the first are passed over."""
RETRY = 5.0
SHORTEST_PASS = 0.5
"""Seconds that a pass over all statuses has at least before it begins anew for what was told meanwhile."""

_log = logging.getLogger(__name__)


class Report(msgspec.Struct, frozen=True):
    """What there is to tell."""

    problems: Sequence[Problem] = ()
    published: tuple[ObjectRef, ...] = ()


class Pace:
    """Lets a number pass at first, and then so many a second; what was not used comes back."""

    def __init__(self, *, at_first: int, per_second: float) -> None:
        self._step = 1 / per_second
        self._ahead = at_first * self._step
        self._next = 0.0

    def take(self, now: float) -> float:
        """Takes the next turn; the seconds until it comes."""
        self._next = max(self._next, now - self._ahead) + self._step
        return max(0.0, self._next - now)


class Reporter:
    """Keeps statuses and Events up to date with the last Report. `read_snapshot` gives the cache as it is now."""

    def __init__(
        self,
        client: ApiClient,
        settings: PublishSettings,
        *,
        read_snapshot: Callable[[], Snapshot],
        instance: str,
        interval: float = 60.0,
        sync_events: bool = True,
        leads: Callable[[], bool] = lambda: True,
        fetch_nodes: Callable[[], Awaitable[tuple[str, ...]]] | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._read_snapshot = read_snapshot
        self._instance = instance
        self._interval = interval
        self._leads = leads
        self._fetch_nodes = fetch_nodes if settings.asks_nodes else None
        self._clock = time.monotonic
        self._pass_until = 0.0
        self._notebook = Notebook(sync_events=sync_events)
        self._own = Notebook()
        self._report = Report()
        self._unnoted: deque[Report] = deque(maxlen=MOST_UNNOTED)
        self._told_addresses: Addresses | None = None
        self._seen: tuple[tuple[ObjectRef, ...], Addresses | None] | None = None
        """The Ingresses whose statuses were looked at, and what they were to say; None if all are to be looked at again."""
        self._pace = Pace(at_first=AT_FIRST, per_second=PER_SECOND)
        self._told = asyncio.Event()
        self._noted = asyncio.Event()
        self._writing = asyncio.Lock()

    def tell(self, report: Report) -> None:
        """Takes the Report that counts from now on."""
        addresses = self._addresses()
        is_same = report.problems is self._report.problems and report.published is self._report.published
        if is_same and addresses == self._told_addresses:
            return
        self._report, self._told_addresses = report, addresses
        self._unnoted.append(report)
        self._told.set()
        self._noted.set()

    def tell_own(self, note: Note) -> None:
        """Takes something about this replica's own pod, which it says whether it leads or not."""
        self._own.add(note)
        self._noted.set()

    def wake(self) -> None:
        """Looks at everything at once, since this replica leads now."""
        self._seen = None
        self._told.set()
        self._noted.set()

    async def say_goodbye(self) -> None:
        """Takes the addresses from all statuses, and writes none from now on."""
        leads, self._leads = self._leads, lambda: False
        # An address that is under way would otherwise arrive after its removal.
        async with self._writing:
            await self._write_all(decide_farewell(self._report.published, self._addresses()), may_write=leads)

    async def run(self) -> None:
        """Writes for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_status())
            tasks.create_task(self._run_events())

    async def _run_status(self) -> None:
        wait = self._interval
        while True:
            try:
                # Others may have changed a status since, which is no Change to routing.
                async with asyncio.timeout(wait):
                    await self._told.wait()
            except TimeoutError:
                self._seen = None
            self._told.clear()
            self._pass_until = self._clock() + SHORTEST_PASS
            if self._fetch_nodes and self._leads():
                await self._look_at_nodes(self._fetch_nodes)
            async with self._writing:
                patches = await self._patches() if self._leads() else ()
                is_done = await self._write_all(patches, may_write=self._goes_on, pace=self._pace)
                if not is_done:
                    self._seen = None
            # No replica was ready yet, this one included.
            is_in_vain = self._fetch_nodes is not None and self._leads() and not self._settings.addresses
            wait = self._interval if is_done and not is_in_vain else min(RETRY, self._interval)

    def _goes_on(self) -> bool:
        """Whether to write on: what was told meanwhile is not to wait until a hundred thousand statuses are written."""
        return self._leads() and not (self._told.is_set() and self._clock() > self._pass_until)

    async def _look_at_nodes(self, fetch: Callable[[], Awaitable[tuple[str, ...]]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self._settings = msgspec.structs.replace(self._settings, addresses=await fetch())
        except (ApiServerError, ConfigurationError, TimeoutError) as error:
            _log.warning("what addresses the nodes have is not to be seen: %s", error or type(error).__name__)

    async def _patches(self) -> tuple[StatusPatch, ...]:
        """For what is to be looked at, which counts as seen then."""
        seen, now = self._seen, (self._report.published, self._addresses())
        self._seen = now
        before = seen[0] if seen and seen[1] == now[1] else ()
        return await asyncio.to_thread(_patches_of_new, self._read_snapshot(), before, *now)

    def _addresses(self) -> Addresses | None:
        service = self._read_snapshot().find(Service, self._settings.service) if self._settings.service else None
        return decide_addresses(self._settings, service)

    async def _write_all(
        self, patches: Iterable[StatusPatch], *, may_write: Callable[[], bool], pace: Pace | None = None
    ) -> bool:
        """Whether all of them are written now."""
        waiting = iter(patches)
        results: list[bool] = []

        async def work() -> None:
            while may_write() and (patch := next(waiting, None)):
                if pace:
                    await asyncio.sleep(pace.take(self._clock()))
                results.append(await self._write(patch))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work())
        return all(results) and next(waiting, None) is None

    async def _write(self, patch: StatusPatch) -> bool:
        try:
            await self._client.patch(RESOURCES[Ingress], patch.ingress, patch.body(), subresource="status")
        except ApiServerRefused as error:
            if error.status == 404:
                return True
            _log.warning("the status of Ingress %s is not taken: %s", patch.ingress, error)
            return False
        except (ApiServerError, ConfigurationError) as error:
            _log.warning("the status of Ingress %s was not written: %s", patch.ingress, error)
            return False
        return True

    async def _run_events(self) -> None:
        while True:
            try:
                async with asyncio.timeout(RETRY if self._own.has_waiting or self._notebook.has_waiting else None):
                    await self._noted.wait()
            except TimeoutError:
                pass
            self._noted.clear()
            while saying := await self._next():
                try:
                    await self._say(saying)
                except (ApiServerError, ConfigurationError) as error:
                    _log.warning("Event %s was not recorded: %s", event_name(saying.note), error)
                await asyncio.sleep(EVENT_INTERVAL)

    async def _next(self) -> Saying | None:
        if self._unnoted:
            reports = tuple(self._unnoted)
            self._unnoted.clear()
            await asyncio.to_thread(_take_all, self._notebook, reports)
        now = self._clock()
        return self._own.next(now) or (self._notebook.next(now) if self._leads() else None)

    async def _say(self, saying: Saying) -> None:
        """Records an Event, or counts the one that there is. What another replica recorded first stays as it is."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        note = saying.note
        if saying.is_again and await self._count_up(note, saying.times, now):
            return
        body = event_body(note, now=now, instance=self._instance, count=saying.times)
        try:
            await self._client.create(EVENTS, note.namespace, body)
        except ApiServerRefused as error:
            if error.status != 409:
                raise

    async def _count_up(self, note: Note, times: int, now: str) -> bool:
        """Whether the Event is still there. Others may have counted it, so the first answer tells from where to count."""
        name = NamespacedName(note.namespace, event_name(note))
        try:
            answer = await self._client.patch(EVENTS, name, {"lastTimestamp": now})
            count = _counted(answer) + times
            await self._client.patch(EVENTS, name, {"count": count})
        except ApiServerRefused as error:
            if error.status != 404:
                raise
            return False
        return True


def _take_all(notebook: Notebook, reports: Iterable[Report]) -> None:
    """One after the other, since what went away between two of them and came back is to be said again."""
    for report in reports:
        notebook.take(report.problems, report.published)


def _patches_of_new(
    snapshot: Snapshot, before: tuple[ObjectRef, ...], published: tuple[ObjectRef, ...], addresses: Addresses | None
) -> tuple[StatusPatch, ...]:
    return decide_patches(snapshot, differing(before, published)[1], addresses)


class _Event(msgspec.Struct):
    count: int | None = None


def _counted(answer: bytes) -> int:
    try:
        return msgspec.json.decode(answer, type=_Event).count or 1
    except msgspec.MsgspecError:
        return 1
