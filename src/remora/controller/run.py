"""The composition root: puts the controller together, runs it until it is told to stop, and ends it in order."""

import asyncio
import logging
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec

from remora.apply.executor import Executor
from remora.controller.cache import Cache
from remora.controller.drain import Drains
from remora.controller.garbage import uncollected
from remora.controller.loop import Applied, ControlLoop
from remora.controller.place import with_place
from remora.controller.placement import PlacementCounts
from remora.controller.session_key import borrow_session_key, fetch_session_key, find_own_namespace
from remora.controller.sessions import Sessions
from remora.controller.settings import ControllerSettings, scopes_of
from remora.controller.slow_hashes import answering
from remora.controller.state import locked, short_directory
from remora.controller.traffic import Traffic
from remora.controller.webhook import Judge, reviewing
from remora.core.errors import ApiServerError, ConfigurationError, HAProxyUnreachable, RemoraError
from remora.core.names import NamespacedName, ObjectRef
from remora.core.settings import proxy_settings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.session_lifetime import derive_key
from remora.haproxy.layout import Layout
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection, connect
from remora.kube.reflector import Reflector
from remora.observe.fullness import Fullness
from remora.observe.health import Health, Respond, listening, run_lag_meter
from remora.observe.metrics import Metrics
from remora.observe.problem_log import ProblemLog
from remora.observe.request_reader import RequestReader
from remora.observe.span_exporter import SpanExporter
from remora.plan.outcome import Outcome, OutcomeKind
from remora.resolve.lookup import Lookup
from remora.resolve.resolver import Resolver
from remora.status.election import Election
from remora.status.nodes import fetch_node_addresses
from remora.status.reloads import reload_note
from remora.status.replicas import find_pod, is_last_replica
from remora.status.reporter import Report, Reporter
from remora.status.session_counts import SessionCounts
from remora.translate import Translator

SYNC_LOOK = 1.0
FAREWELL = 5.0
"""Seconds for the last words to the API server, which may be gone already."""
SWITCH_INTERVAL = 0.0005
"""Seconds that a thread keeps Python's lock while the event loop wants it, a tenth of what Python has by itself: a change is a
dozen exchanges with HAProxy, after each of which the loop waits so long for a thread that reckons, for a scrape, say."""
COUNTERS_PAUSE = 10.0
"""HAProxy's counters are read at least so often, so that what a reload might lose is little."""

Beside = Callable[[], Coroutine[None, None, None]]

_log = logging.getLogger(__name__)


def run_controller(settings: ControllerSettings, judge: Judge, beside: Sequence[Beside] = ()) -> None:
    """Runs until SIGTERM or SIGINT. `judge` answers reviews of admission, where a webhook is asked for; `beside` runs as long
    as the controller does.

    Raises:
        RemoraError: the surroundings are broken in a way that waiting does not mend.
    """
    import uvloop

    sys.setswitchinterval(SWITCH_INTERVAL)
    with locked(Path(settings.proxy.state_directory)):
        directory = short_directory(Path(settings.proxy.state_directory))
        proxy = msgspec.structs.replace(settings.proxy, state_directory=str(directory))
        try:
            uvloop.run(Controller(msgspec.structs.replace(settings, proxy=proxy), judge, beside).run())
        except BaseExceptionGroup as group:
            raise _cause(group) from None


class Controller:
    """One controller, from its start to its end."""

    def __init__(self, settings: ControllerSettings, judge: Judge, beside: Sequence[Beside] = ()) -> None:
        self._settings = settings
        self._judge = judge
        self._beside = beside
        self._metrics = Metrics(settings.metrics)
        self._problem_log = ProblemLog()
        self._proxy = settings.proxy
        self._executor = Executor(settings.proxy, binary=settings.haproxy, external=settings.external_proxy)
        self._health = Health(lambda: self._executor.fault)
        self._spans = SpanExporter()
        self._requests = RequestReader(
            Layout(settings.proxy.state_directory).requests_socket,
            measures=settings.proxy.measures_requests,
            spans=self._spans,
        )
        self._sessions = Sessions(self._executor.readings)
        self._drains = Drains(self._sessions, self._executor.readings)
        self._traffic = Traffic(self._executor.readings, self._sessions, self._requests.durations, replica=settings.instance)
        self._placement = PlacementCounts(self._executor.readings)
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._own_pod: ObjectRef | None = None
        self._farewell: Callable[[], Awaitable[None]] = _nothing_to_do

    def stop(self) -> None:
        """Asks for the end; asked twice, the grace period is cut short."""
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def run(self) -> None:
        """Serves until it is stopped, then ends HAProxy. If this raises, HAProxy goes on as it is."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        health = self._settings.health
        answers: dict[str, Respond] = {
            "/sessions": self._sessions.answer,
            "/drain-wait": self._drains.answer,
            "/traffic": self._traffic.answer,
        }
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                listening(
                    self._health,
                    self._render_metrics,
                    answers=answers,
                    hosts=health.hosts,
                    port=health.port,
                    health_path=health.path,
                )
            )
            layout = Layout(self._settings.proxy.state_directory)
            await stack.enter_async_context(answering(Path(layout.passwords_socket)))
            with uncollected():
                await self._executor.start()
            self._health.has_adopted = self._executor.is_serving
            if self._health.has_adopted:
                _log.info("adopted the HAProxy that runs already")
            async with asyncio.TaskGroup() as tasks:
                work = [tasks.create_task(self._work()), *(tasks.create_task(run()) for run in self._beside)]
                await self._stop.wait()
                await self._say_goodbye()
                await self._farewell()
                for task in work:
                    task.cancel()
            await self._end_proxy()
            await self._stay(self._settings.post_shutdown_grace_period)

    async def _say_goodbye(self) -> None:
        """Fails the health check at once and serves on for the grace period, until nobody sends new clients."""
        self._health.is_stopping = True
        grace = self._settings.shutdown_grace_period
        _log.info("told to stop; serving on for %g s", grace)
        await self._stay(grace)

    async def _stay(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        except TimeoutError:
            pass

    async def _end_proxy(self) -> None:
        """Lets requests finish, idle clients included, for as long as an old worker may; no longer if told to stop again."""
        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(self._executor.stop(grace=self._proxy.old_worker_timeout))
            impatience = tasks.create_task(self._hurry.wait())
            await asyncio.wait((ending, impatience), return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            impatience.cancel()
        await self._executor.stop(grace=0.0)

    async def _work(self) -> None:
        settings = self._settings
        connection = await connect(settings.kubeconfig, settings.context)
        async with ApiClient.open(connection) as client:
            key = await (borrow_session_key if settings.is_shadow else fetch_session_key)(
                client,
                settings.session_key_secret,
                own_namespace=connection.namespace or _own_namespace(),
                jitter=random.random,
            )
            await self._follow(client, connection, key)

    async def _follow(self, client: ApiClient, connection: Connection, key: bytes) -> None:
        settings = self._settings
        routing = msgspec.structs.replace(settings.routing, session_key=key)
        routing = await with_place(routing, settings.topology, client, jitter=random.random)
        scopes = scopes_of(settings)
        cache = Cache(scopes)
        self._traffic.read_snapshot = lambda: cache.snapshot
        election = Election(
            client,
            settings.election,
            identity=settings.instance,
            find_namespace=lambda: find_own_namespace(client, connection.namespace or _own_namespace()),
            tell=lambda leads: self._tell_leader(leads, reporter),
            jitter=random.random,
        )
        reporter = Reporter(
            client,
            settings.publish,
            read_snapshot=lambda: cache.snapshot,
            instance=settings.instance,
            interval=settings.status_interval,
            sync_events=settings.sync_events,
            leads=lambda: election.leads,
            fetch_nodes=lambda: fetch_node_addresses(
                client, NamespacedName(_own_namespace(), settings.instance), internal=settings.publish.internal_of_nodes
            ),
        )
        # It writes the whole program.
        configurator = await asyncio.to_thread(
            Configurator, msgspec.structs.replace(settings.proxy, lifetime_key=derive_key(key))
        )
        loop = ControlLoop(
            cache,
            Translator(routing),
            configurator,
            self._executor,
            tell=lambda applied: self._tell(applied, reporter),
            tell_failure=self._metrics.tell_failure,
            configmap=settings.routing.configmap,
            ask_names=lambda names: resolver.want(names),
            undisturbed=uncollected,
        )
        resolver = Resolver(Lookup(settings.resolver), sink=loop.inbox.put)
        reflectors = [Reflector(client, scope, sink=loop.inbox.put, jitter=random.random) for scope in scopes]
        _log.info("following %s", connection.server)
        if settings.empties_statuses:
            self._farewell = lambda: self._empty_statuses(client, reporter)
        if not settings.is_shadow:
            self._own_pod = await find_pod(client, NamespacedName(_own_namespace(), settings.instance))
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            if settings.webhook:
                webhook = reviewing(settings.webhook, self._judge, read_snapshot=lambda: cache.whole_snapshot)
                await stack.enter_async_context(webhook)
            for reflector in reflectors:
                tasks.create_task(reflector.run())
            for part in (loop.run(), self._executor.run(lambda outcome: self._tell_outcome(outcome, reporter)), resolver.run()):
                tasks.create_task(part)
            for writer in () if settings.is_shadow else (reporter, election):
                tasks.create_task(writer.run())
            tasks.create_task(run_lag_meter(self._metrics.tell_lag))
            if settings.publish_session_counts:
                tasks.create_task(SessionCounts(client, self._sessions.by_pod, leads=lambda: election.leads).run())
            tasks.create_task(self._look_at_sync(cache, reflectors))
            tasks.create_task(self._read_counters())
            tasks.create_task(self._placement.run())
            tasks.create_task(self._spans.run())

    def _tell_outcome(self, outcome: Outcome, reporter: Reporter) -> None:
        self._metrics.tell_outcome(outcome)
        if self._own_pod and (note := reload_note(self._own_pod, outcome)):
            reporter.tell_own(note)

    def _tell(self, applied: Applied, reporter: Reporter) -> None:
        self._tell_outcome(applied.outcome, reporter)
        self._metrics.tell_change(applied.change_seconds)
        self._metrics.tell_translation(applied.model, applied.problems)
        self._requests.tell(applied.model)
        self._sessions.tell(applied.model)
        self._drains.tell(applied.model)
        self._placement.tell(applied.model)
        self._traffic.tell(applied)
        self._problem_log.tell(applied.problems)
        if applied.outcome.kind is OutcomeKind.FAILED:
            self._health.not_ready_because = applied.outcome.error
        else:
            self._health.is_serving = True
            self._proxy = proxy_settings(self._settings.proxy, applied.model.options)
        reporter.tell(Report(applied.problems, applied.published))

    async def _empty_statuses(self, client: ApiClient, reporter: Reporter) -> None:
        try:
            async with asyncio.timeout(FAREWELL):
                if await is_last_replica(client, NamespacedName(_own_namespace(), self._settings.instance)):
                    await reporter.say_goodbye()
        except (ApiServerError, ConfigurationError, TimeoutError) as error:
            _log.warning("the statuses of Ingresses stay as they are: %s", error or type(error).__name__)

    def _tell_leader(self, leads: bool, reporter: Reporter) -> None:
        self._metrics.tell_leader(leads)
        reporter.wake()

    async def _look_at_sync(self, cache: Cache, reflectors: list[Reflector]) -> None:
        while True:
            current: dict[str, bool] = {}
            for reflector in reflectors:
                kind = reflector.scope.kind.__name__
                current[kind] = current.get(kind, True) and reflector.is_current
            self._metrics.tell_sync(has_synced=cache.has_synced, current=current)
            await asyncio.sleep(SYNC_LOOK)

    async def _read_counters(self) -> None:
        fullness = Fullness()
        while True:
            self._metrics.tell_requests(await self._executor.readings.read_counters())
            fullness.tell(await self._executor.readings.read_process())
            await asyncio.sleep(COUNTERS_PAUSE)

    async def _render_metrics(self) -> bytes:
        self._metrics.tell_requests(await self._executor.readings.read_counters())
        self._metrics.tell_process(await self._executor.readings.read_process())
        self._metrics.tell_reading(self._requests, self._spans)
        with suppress(HAProxyUnreachable):
            self._metrics.tell_sessions(await self._sessions.read_tracked(), self._executor.readings.broken_sessions)
        # With ten thousand routes there is much to add up.
        return await asyncio.to_thread(self._metrics.render)


async def _nothing_to_do() -> None:
    pass


def _own_namespace() -> str:
    import os

    from remora.kube.credentials import read_namespace

    return read_namespace(os.environ)


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception that says something to a person, else the group."""
    for one in group.exceptions:
        found = _cause(one) if isinstance(one, BaseExceptionGroup) else one
        if isinstance(found, RemoraError):
            return found
    return group
