"""What a viewer's pages show, kept up to date by watches while somebody looks.

Each kind that a page asks for is listed once and then watched, with the credentials of whoever asks; who may not list a kind in
the whole cluster is shown what is in their namespaces. What nobody has asked for in a while is let go of.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, RemoraError
from remora.core.names import NamespacedName
from remora.dashboard.viewer import Viewer
from remora.dashboard.workload_kinds import CONFIGMAP, SECRET, Sort
from remora.dashboard.workload_objects import Object, read_holder
from remora.kube.client import ApiClient

T = TypeVar("T", bound=Object)

FORGET_AFTER = 60.0
"""Seconds without a question after which a watch ends."""
FIRST_ANSWER = 20.0
"""Seconds to wait for the first list, the length of a slow list of a large cluster."""
PAGE = "500"
_WATCH_SECONDS = "300"
_VERSIONS = itertools.count(1)
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 10.0


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw = msgspec.Raw()


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _ListMeta = _ListMeta()


class _Code(msgspec.Struct, frozen=True):
    code: int = 0


def _decoder(sort: Sort) -> Callable[[msgspec.Raw], Object]:
    if sort in (CONFIGMAP, SECRET):
        return read_holder
    return msgspec.json.Decoder(sort.shape).decode


class Followed:
    """One kind in one namespace ("" for all), as it is."""

    def __init__(self, client: ApiClient, sort: Sort, namespace: str) -> None:
        self.sort = sort
        self.objects: dict[NamespacedName, Object] = {}
        self.version = next(_VERSIONS)
        """Another one after each change, so that what was made of the objects can be kept until then."""
        self.trouble: ApiServerError | None = None
        self.answered = asyncio.Event()
        self.asked_at = 0.0
        self._client = client
        self._path = sort.resource.path(namespace)
        self._decode = _decoder(sort)
        self._since = ""

    async def run(self) -> None:
        """Lists and watches until nobody has asked for a while."""
        wait = _FIRST_WAIT
        while time.monotonic() - self.asked_at < FORGET_AFTER:
            try:
                if not self._since:
                    await self._list()
                self._answer(None)
                async with asyncio.timeout(FORGET_AFTER):
                    await self._watch()
                wait = _FIRST_WAIT
            except TimeoutError:
                # Only a look at the clock: the watch goes on from where it stands.
                continue
            except (RemoraError, msgspec.MsgspecError) as error:
                self._answer(error if isinstance(error, ApiServerError) else ApiServerError(f"{self._path}: {error}"))
                self._since = ""
                if isinstance(error, ApiServerRefused) and error.status in (401, 403):
                    # A right that was taken away, or a token that has expired: what was seen with it is not shown any longer.
                    self.objects = {}
                await asyncio.sleep(wait)
                wait = min(_LONGEST_WAIT, wait * 2)

    def _answer(self, trouble: ApiServerError | None) -> None:
        if str(trouble) != str(self.trouble) or not self.answered.is_set():
            self.version = next(_VERSIONS)
        self.trouble = trouble
        self.answered.set()

    async def _list(self) -> None:
        found: dict[NamespacedName, Object] = {}
        token, version = "", ""
        while True:
            query = f"?limit={PAGE}" + (f"&continue={token}" if token else "")
            page = msgspec.json.decode(await self._client.read(self._path + query), type=_List)
            for raw in page.items or ():
                if (one := self._read(raw)) is not None:
                    found[one.key] = one
            token, version = page.metadata.continue_, page.metadata.resource_version
            if not token:
                break
        self.objects, self._since = found, version
        self.version = next(_VERSIONS)

    async def _watch(self) -> None:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._since,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        async for text in self._client.stream(self._path, query):
            line = msgspec.json.decode(text, type=_Line)
            if line.type == "ERROR":
                # Mostly a version that is too old (410), which a new list cures; so it does what else there may be.
                code = msgspec.json.decode(line.object, type=_Code).code
                self._since = ""
                if code != 410:
                    raise ApiServerError(f"{self._path}: the watch ended with status {code}")
                return
            self._since = msgspec.json.decode(line.object, type=_Bookmark).metadata.resource_version or self._since
            if line.type != "BOOKMARK" and (one := self._read(line.object)) is not None:
                self._take(line.type, one)

    def _take(self, type_: str, one: Object) -> None:
        if type_ == "DELETED":
            self.objects.pop(one.key, None)
        else:
            self.objects[one.key] = one
        self.version = next(_VERSIONS)

    def _read(self, raw: msgspec.Raw) -> Object | None:
        """An object, None for one that is not of its kind's shape: it costs only itself."""
        try:
            return self._decode(raw)
        except msgspec.MsgspecError:
            return None


class Seen(msgspec.Struct, frozen=True):
    """What is there of some kinds, by their plurals; `version` is equal as long as nothing has changed.

    `trouble` says of which kinds not all is known, and why.
    """

    objects: Mapping[str, Sequence[Object]]
    version: tuple[int, ...]
    trouble: Mapping[str, str]

    def of(self, sort: Sort, shape: type[T]) -> list[T]:
        """The objects of one kind."""
        return [one for one in self.objects.get(sort.plural, ()) if isinstance(one, shape)]


class Lookout:
    """All that is followed for all viewers. `run` has to be under way."""

    def __init__(self) -> None:
        self._followed: dict[tuple[ApiClient, str, str], Followed] = {}
        self._begun: asyncio.Queue[tuple[tuple[ApiClient, str, str], Followed]] = asyncio.Queue()

    async def run(self) -> None:
        """Follows what is asked for, for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                key, followed = await self._begun.get()
                group.create_task(self._follow(key, followed))

    async def _follow(self, key: tuple[ApiClient, str, str], followed: Followed) -> None:
        try:
            await followed.run()
        finally:
            self._followed.pop(key, None)

    async def see(self, viewer: Viewer, sorts: Sequence[Sort]) -> Seen:
        """What the viewer may see of these kinds."""
        assert viewer.client is not None
        per_sort = await asyncio.gather(*(self._see(viewer.client, viewer, sort) for sort in sorts))
        objects = {
            sort.plural: [one for followed in found for one in followed.objects.values()]
            for sort, found in zip(sorts, per_sort, strict=True)
        }
        trouble = {
            sort.plural: next(str(followed.trouble) for followed in found if followed.trouble)
            for sort, found in zip(sorts, per_sort, strict=True)
            if any(followed.trouble for followed in found)
        }
        return Seen(objects, tuple(followed.version for found in per_sort for followed in found), trouble)

    async def _see(self, client: ApiClient, viewer: Viewer, sort: Sort) -> list[Followed]:
        everywhere = await self._answered(client, sort, "")
        is_refused = isinstance(everywhere.trouble, ApiServerRefused) and everywhere.trouble.status == 403
        if not is_refused or not sort.resource.namespaced:
            return [everywhere]
        namespaces = sorted(viewer.namespaces or {viewer.namespace})
        return list(await asyncio.gather(*(self._answered(client, sort, name) for name in namespaces)))

    async def _answered(self, client: ApiClient, sort: Sort, namespace: str) -> Followed:
        key = (client, sort.plural, namespace)
        followed = self._followed.get(key)
        if followed is None:
            followed = self._followed[key] = Followed(client, sort, namespace)
            followed.asked_at = time.monotonic()
            self._begun.put_nowait((key, followed))
        followed.asked_at = time.monotonic()
        try:
            await asyncio.wait_for(followed.answered.wait(), FIRST_ANSWER)
        except TimeoutError:
            followed.trouble = ApiServerError(f"{sort.plural}: no answer within {FIRST_ANSWER:.0f} s")
        return followed
