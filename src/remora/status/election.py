"""Takes part in the election of the replica that writes to the API what only one may write, through a Lease."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.objects.lease import Lease
from remora.kube.resources import RESOURCES, one
from remora.kube.wire import Decoder
from remora.status.lease import DEADLINE_PART, RENEW_PART, Observed, free_at, lease_body, observe

SPREAD = 0.2
"""Part by which followers' looks at the Lease are spread, so that they do not all come at once."""
RELEASE_SECONDS = 3.0
"""Within which the Lease is given back or not at all."""

_UNAVAILABLE = (ApiServerError, ConfigurationError, TimeoutError)

_log = logging.getLogger(__name__)


class ElectionSettings(msgspec.Struct, frozen=True):
    """From flags: the Lease's name, and the seconds after which one that is not renewed is anybody's."""

    is_enabled: bool = True
    id: str = "ingress-controller-leader"
    time_to_live: float = 30.0


class Election:
    """One replica's part in it. `tell` is told whenever it begins or ceases to lead."""

    def __init__(
        self,
        client: ApiClient,
        settings: ElectionSettings,
        *,
        identity: str,
        find_namespace: Callable[[], Awaitable[str]],
        tell: Callable[[bool], None],
        jitter: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._settings = settings
        self._identity = identity
        self._find_namespace = find_namespace
        self._tell = tell
        self._jitter = jitter
        self._clock = clock
        self._place: NamespacedName | None = None
        self._seen: Observed | None = None
        self._leads_until = float("-inf")
        self._told = False
        self._complaint = ""

    @property
    def leads(self) -> bool:
        """Whether this replica leads at this moment; a leader that cannot renew ceases to by itself."""
        return self._clock() < self._leads_until

    async def run(self) -> None:
        """Takes part until it is cancelled; then it gives the Lease back, so that another can have it at once."""
        if not self._settings.is_enabled:
            return
        try:
            while True:
                await self._take_part()
                self._tell_change()
                await self._wait()
        finally:
            await self._release()

    async def _take_part(self) -> None:
        try:
            # A request that hangs must not outlive the leadership that it is to renew.
            async with asyncio.timeout(self._settings.time_to_live / 2):
                await self._look()
                self._complaint = ""
        except _UNAVAILABLE as error:
            self._complain(str(error) or "the API server does not answer")

    async def _look(self) -> None:
        place = self._place = self._place or NamespacedName(await self._find_namespace(), self._settings.id)
        begun = self._clock()
        self._seen = observe(self._seen, await self._fetch(place), begun)
        if free_at(self._seen, self._identity, self._settings.time_to_live) > begun:
            self._leads_until = begun
            return
        begun = self._clock()
        try:
            lease = await self._write(place, self._seen.lease, self._identity)
        except ApiServerRefused as error:
            if error.status != 409:  # another replica was quicker
                raise
            self._leads_until = begun
            self._seen = observe(self._seen, await self._fetch(place), self._clock())
            return
        self._seen = Observed(lease, begun)
        self._leads_until = begun + self._settings.time_to_live * DEADLINE_PART

    async def _fetch(self, place: NamespacedName) -> Lease | None:
        try:
            return await self._client.fetch(Lease, place)
        except ApiServerRefused as error:
            if error.status != 404:
                raise
            return None

    async def _write(self, place: NamespacedName, before: Lease | None, holder: str) -> Lease:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = lease_body(place, before, holder=holder, time_to_live=self._settings.time_to_live, now=now)
        resource = RESOURCES[Lease]
        answer = await (
            self._client.create(resource, place.namespace, body)
            if before is None
            else self._client.replace(resource, place, body)
        )
        return msgspec.json.decode(answer, type=Lease)

    async def _wait(self) -> None:
        """Until the Lease is to be looked at again. A follower watches it, and sees at once that it was given back."""
        patience = self._settings.time_to_live * RENEW_PART
        if not self.leads:
            patience *= 1 + SPREAD * self._jitter()
            if self._seen and self._seen.lease and self._place:
                free = free_at(self._seen, self._identity, self._settings.time_to_live)
                patience = min(patience, max(0.05, free - self._clock()))
        try:
            async with asyncio.timeout(patience):
                if not self.leads and self._seen and self._seen.lease and self._place:
                    await self._watch(self._place, self._seen.lease)
                else:
                    await asyncio.Event().wait()
        except TimeoutError:
            pass

    async def _watch(self, place: NamespacedName, lease: Lease) -> None:
        """Until the Lease changes. Who may not watch it looks at it again and again."""
        try:
            async for event in self._client.watch(one(Lease, place), Decoder(Lease), since=lease.metadata.resource_version):
                found = event.object
                if isinstance(found, Lease) and found.key == place and (event.type == "DELETED" or found.spec != lease.spec):
                    return
        except (ApiServerError, ConfigurationError) as error:
            _log.debug("the Lease %s cannot be watched: %s", place, error)
        await asyncio.Event().wait()

    async def _release(self) -> None:
        held, self._leads_until = self.leads, float("-inf")
        self._tell_change()
        if not held or self._place is None or self._seen is None:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._write(self._place, self._seen.lease, "")
        except _UNAVAILABLE as error:
            _log.warning("the Lease %s was not given back: %s", self._place, error or type(error).__name__)

    def _tell_change(self) -> None:
        if self._told is not self.leads:
            self._told = self.leads
            _log.info("this replica %s", "leads" if self._told else "leads no more")
            self._tell(self._told)

    def _complain(self, error: str) -> None:
        """Once for each trouble, which may last for long."""
        if error != self._complaint:
            self._complaint = error
            _log.warning("who leads is not known, and this replica writes no statuses: %s", error)
