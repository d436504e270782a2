"""The controller's one loop. It alone owns the cache, the translation and what was applied last.

What can happen to it:
- a reflector tells of a list or a change: the cache takes it, and a burst begins or grows;
- the last kind was listed for the first time: everything is translated and applied, and HAProxy started or adopted;
- a burst is due: what changed is translated and applied;
- an application failed, and it is time to try again;
- names elsewhere were asked for that nobody has answered yet: what is served first waits for them, but not for long;
- an error of our own: it is logged and counted, and everything is translated anew after a wait.

What may take long runs in a thread, so that watches are read, health is told and leases are renewed meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar, TypeVarTuple

import msgspec

from remora.controller.cache import Cache
from remora.controller.inbox import Inbox
from remora.controller.options import OptionsInUse
from remora.controller.refused import refused_problems
from remora.core.names import NamespacedName, ObjectRef
from remora.core.options import ProxyOptions
from remora.core.problems import Problems
from remora.haproxy.configuration import Configuration, Configurator
from remora.kube.objects import DnsAnswer
from remora.kube.reflector import Relisted, Told
from remora.model import Model
from remora.plan.outcome import Outcome, OutcomeKind
from remora.translate import Translation, Translator
from remora.watch.debounce import Burst, Debounce, due_time, grown
from remora.watch.light import is_light
from remora.watch.snapshot import Change, Snapshot
from remora.watch.waiting import Waiting

FIRST_RETRY = 1.0
LONGEST_RETRY = 10.0
PATIENCE_FOR_NAMES = 2.0
"""Seconds. A HAProxy that runs already knows their addresses, and must not lose them to a controller that starts."""

MOST_TAKEN = 100
"""Things told that are taken without a pause: some 6 ms."""

MOST_ADDED = 2000
"""Changes that are put among those that wait without a pause; a list has them all at once."""

UNREADABLE, REFUSED = ("8", "", "unreadable"), ("9", "", "refused")
"""What Problems come from that no translation finds; after those that one does."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_log = logging.getLogger(__name__)


class DataPlane(Protocol):
    """What the loop needs of the executor."""

    async def apply(self, wanted: Configuration) -> Outcome: ...


class Applied(msgspec.Struct, frozen=True):
    """What was wanted, and what came of it. `published` are the Ingresses that are served.

    `change_seconds` is how long the first of the changes that HAProxy runs now has waited since it was told; None where
    none did, and for what was there when the controller started.
    """

    model: Model
    problems: Problems
    published: tuple[ObjectRef, ...]
    outcome: Outcome
    change_seconds: float | None = None
    changes: tuple[Change, ...] = ()
    """The Changes that were translated for it; none where everything was."""


class ControlLoop:
    """Turns what `inbox` brings into what HAProxy runs, and tells `tell` of it.

    `undisturbed` is around what makes everything anew.
    """

    def __init__(
        self,
        cache: Cache,
        translator: Translator,
        configurator: Configurator,
        data_plane: DataPlane,
        *,
        tell: Callable[[Applied], None],
        tell_failure: Callable[[], None],
        ask_names: Callable[[frozenset[str]], None] = lambda _names: None,
        undisturbed: Callable[[], AbstractContextManager[None]] = nullcontext,
        configmap: NamespacedName | None = None,
        rule: Debounce | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inbox = Inbox(clock)
        self._cache = cache
        self._translator = translator
        self._configurator = configurator
        self._data_plane = data_plane
        self._tell = tell
        self._tell_failure = tell_failure
        self._ask_names = ask_names
        self._undisturbed = undisturbed
        self._names_until: float | None = None
        self._has_applied = False
        self._configmap = configmap
        self._options = OptionsInUse()
        self._rule = rule or Debounce()
        self._clock = clock
        self._waiting = Waiting()
        self._translated = Snapshot()
        self._changed_at: float | None = None
        """When the first change came that was translated and not applied yet."""
        self._burst: Burst | None = None
        self._is_anew = True
        self._retry_at: float | None = None
        self._failures = 0
        self._failed_at = 0.0
        self._published: tuple[ObjectRef, ...] = ()
        self._carried_out: Model | None = None
        """The Model that was applied last, as it was translated; `_model` is that with the options that HAProxy took."""
        self._model = Model()
        self._outcome = Outcome(0, OutcomeKind.UNCHANGED)

    async def run(self) -> None:
        """Goes on for ever."""
        while True:
            try:
                await self._take()
                if self._is_due():
                    began = self._clock()
                    with self._undisturbed() if self._is_anew else nullcontext():
                        await self._step()
                    self._waiting.note_seconds(self._clock() - began)
            except Exception:
                _log.exception("an error of Remora itself; everything is translated anew")
                self._tell_failure()
                self._is_anew = True
                self._configurator = await asyncio.to_thread(self._configurator.anew)
                self._put_off()

    async def _take(self) -> None:
        """Waits for what is told or until something is due, and takes all that there is."""
        try:
            async with asyncio.timeout(self._patience()):
                came, told = await self.inbox.get()
        except TimeoutError:
            return
        has_news = await self._take_one(told)
        # All that has come: what is urgent may stand behind a thousand of a namespace that is out of its mind.
        for number in range(1, 1 + self.inbox.size()):
            has_news |= await self._take_one(self.inbox.get_nowait()[1])
            if number % MOST_TAKEN == 0:
                await asyncio.sleep(0)
        changes = self._cache.take_changes()
        for number, change in enumerate(changes, start=1):
            self._waiting.add(change, came)
            if number % MOST_ADDED == 0:
                await asyncio.sleep(0)
        if not (self._waiting or self._is_anew):
            self._translated = self._cache.snapshot
            self._translator.overtake(self._translated)
        now = self._clock()
        self._burst = grown(self._burst, changes, now)
        if has_news and self._burst is None:
            self._burst = Burst(first=now, last=now)
        if not self._has_applied and not self._failures and self._burst:
            self._retry_at = None
        if self._failures and self._retry_at is not None and (changes or has_news):
            # What is new may be what was missing. One try a second is the most that HAProxy is asked for in vain.
            self._retry_at = min(self._retry_at, max(now, self._failed_at + FIRST_RETRY))

    async def _take_one(self, told: Relisted | Told) -> bool:
        # A list may be long.
        return await asyncio.to_thread(self._cache.take, told) if isinstance(told, Relisted) else self._cache.take(told)

    def _due_at(self) -> float | None:
        """When to act; None if there is nothing to do."""
        if not self._cache.has_synced:
            return None
        if self._retry_at is not None:
            return self._retry_at
        if self._is_anew:
            return self._clock()
        return due_time(self._burst, self._rule) if self._burst else None

    def _patience(self) -> float | None:
        due = self._due_at()
        return None if due is None else max(0.0, due - self._clock())

    def _is_due(self) -> bool:
        due = self._due_at()
        return due is not None and due <= self._clock()

    async def _step(self) -> None:
        snapshot, changes = self._next_portion()
        self._retry_at = None
        at_once = changes is not None and is_light(changes, self._translated, snapshot)
        translation = await _run(self._translator.translate, snapshot, changes, at_once=at_once)
        self._translated = snapshot
        self._is_anew = False
        self._ask_names(translation.lookups)
        if self._waits_for_names(translation):
            self._retry_at = self._names_until
            return
        is_first, self._has_applied = not self._has_applied, True
        if translation.model is self._carried_out and not self._failures:
            model, before = self._model, self._outcome
            outcome = Outcome(before.generation, OutcomeKind.UNCHANGED, refused=before.refused)
        else:
            model, outcome = await self._carry_out(translation.model, at_once=at_once)
            self._carried_out, self._model, self._outcome = translation.model, model, outcome
        self._log(outcome)
        if outcome.kind is OutcomeKind.FAILED:
            self._put_off()
        else:
            self._failures = 0
            self._published = translation.published
        applied = self._applied(translation, model, outcome, self._waited(outcome, is_first=is_first))
        self._tell(msgspec.structs.replace(applied, changes=changes or ()))

    def _next_portion(self) -> tuple[Snapshot, tuple[Change, ...] | None]:
        """What to translate now, and the Changes that led to it; None for all. The rest goes on waiting."""
        now = self._cache.snapshot
        is_overdue = self._burst is not None and self._clock() >= self._burst.first + self._rule.maximum
        taken = self._waiting.take_all() if self._is_anew else self._waiting.take(is_overdue=is_overdue)
        times = [*taken.values(), *([] if self._changed_at is None else [self._changed_at])]
        self._changed_at = min(times, default=None)
        if not self._waiting:
            self._burst = None
            return now, None if self._is_anew else tuple(taken)
        if self._burst is not None:
            self._burst = msgspec.structs.replace(self._burst, urgent=False)
        return self._translated.following(now, taken), tuple(taken)

    async def _carry_out(self, model: Model, *, at_once: bool) -> tuple[Model, Outcome]:
        """Applies a model; settings of the ConfigMap that HAProxy does not take are left as they were."""
        options = self._options.usable(model.options)
        outcome = await self._apply(model, options, at_once=at_once)
        error = ""
        if outcome.kind is OutcomeKind.FAILED:
            for fallback in self._options.fallbacks(options):
                second = await self._apply(model, fallback, at_once=False)
                if second.kind is not OutcomeKind.FAILED:
                    options, outcome, error = fallback, second, outcome.error
                    break
            else:
                return model, outcome
        self._options.take(model.options, options, error)
        return model if options is model.options else msgspec.structs.replace(model, options=options), outcome

    async def _apply(self, model: Model, options: ProxyOptions, *, at_once: bool) -> Outcome:
        if options is not model.options:
            model = msgspec.structs.replace(model, options=options)
        return await self._data_plane.apply(await _run(self._configurator.configure, model, at_once=at_once))

    def _waits_for_names(self, translation: Translation) -> bool:
        """Whether the first application is put off until the names that it needs are answered."""
        if self._has_applied:
            return False
        now = self._clock()
        if self._names_until is None:
            self._names_until = now + PATIENCE_FOR_NAMES
        find = self._cache.snapshot.find
        is_open = any(find(DnsAnswer, NamespacedName("", name)) is None for name in translation.lookups)
        return is_open and now < self._names_until

    def _waited(self, outcome: Outcome, *, is_first: bool) -> float | None:
        if outcome.kind is OutcomeKind.FAILED:
            return None
        since, self._changed_at = self._changed_at, None
        if since is None or is_first or outcome.kind is OutcomeKind.UNCHANGED:
            return None
        return self._clock() - since

    def _applied(self, translation: Translation, model: Model, outcome: Outcome, waited: float | None) -> Applied:
        refused = (*refused_problems(model, outcome.refused), *self._options.problems(self._configmap))
        problems = translation.problems.changed({UNREADABLE: self._cache.problems, REFUSED: refused})
        return Applied(model, problems, self._published, outcome, waited)

    def _put_off(self) -> None:
        self._failures += 1
        self._failed_at = self._clock()
        self._retry_at = self._failed_at + min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(self._failures - 1, 10))

    def _log(self, outcome: Outcome) -> None:
        match outcome.kind:
            case OutcomeKind.FAILED:
                _log.error("HAProxy does not run what is wanted, the last state goes on being served: %s", outcome.error)
            case OutcomeKind.RELOAD | OutcomeKind.START:
                reasons = "; ".join(outcome.reasons)
                _log.info("%s in %.0f ms, generation %d: %s", *_words(outcome), outcome.generation, reasons)
            case OutcomeKind.RUNTIME:
                _log.info("%s in %.1f ms, generation %d: %d commands", *_words(outcome), outcome.generation, outcome.commands)
            case OutcomeKind.UNCHANGED:
                _log.debug("nothing changes for HAProxy")


def _words(outcome: Outcome) -> tuple[str, float]:
    return outcome.kind.value, outcome.seconds * 1000


async def _run(work: Callable[[*Ts], T], *args: *Ts, at_once: bool) -> T:
    """Runs something in a thread, or `at_once` if it takes a millisecond: another thread would take a part of that to begin."""
    return work(*args) if at_once else await asyncio.to_thread(work, *args)
