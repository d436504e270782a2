"""One look at a cluster through a kubeconfig: everything that routing depends on, as far as one may read it."""

import msgspec

from remora.controller.session_key import NAME, USUAL_NAMESPACE, read_key
from remora.core.errors import ApiServerRefused, ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.kube.objects import KubernetesObject, Secret
from remora.kube.resources import RESOURCES, Scope
from remora.kube.wire import Decoder
from remora.watch.snapshot import KINDS, Kind, Snapshot


class Fetched(msgspec.Struct, frozen=True):
    """A cluster at one moment. `session_key` is None where it cannot be read; `notes` say what could not."""

    snapshot: Snapshot
    session_key: bytes | None = None
    notes: tuple[str, ...] = ()
    unread: frozenset[Kind] = frozenset()
    """Kinds that may not be read."""


def fetch_cluster(kubeconfig: str, context: str, *, session_key_secret: NamespacedName | None = None) -> Fetched:
    """The cluster that kubectl would speak to, or the one named.

    Raises:
        ConfigurationError: the kubeconfig cannot be used.
        ApiServerError: no answer, or even the Ingresses may not be read.
    """
    import asyncio

    return asyncio.run(_fetch(kubeconfig, context, session_key_secret))


async def _fetch(kubeconfig: str, context: str, session_key_secret: NamespacedName | None) -> Fetched:
    connection = await connect(kubeconfig, context)
    async with ApiClient.open(connection) as client:
        return await fetch_with(client, session_key_secret)


async def fetch_with(client: ApiClient, session_key_secret: NamespacedName | None = None) -> Fetched:
    """The cluster and the session key as that client may read them.

    Raises:
        ApiServerError: no answer, or even the Ingresses may not be read.
    """
    found = await read_cluster(client)
    notes = list(found.notes)
    key = await _session_key(client, session_key_secret, notes)
    return Fetched(found.snapshot, key, tuple(notes), found.unread)


async def read_cluster(client: ApiClient) -> Fetched:
    """What routing depends on, without the session key.

    Raises:
        ApiServerError: no answer, or even the Ingresses may not be read.
    """
    snapshot = Snapshot()
    notes: list[str] = []
    unread: set[Kind] = set()
    for kind in KINDS:
        try:
            objects = await _list(client, kind, notes)
        except ApiServerRefused as error:
            if error.status != 403 or kind.__name__ == "Ingress":
                raise
            unread.add(kind)
            notes.append(f"{RESOURCES[kind].plural} may not be read, so what depends on them is unknown here")
            continue
        snapshot = snapshot.changed(kind, {obj.key: obj for obj in objects})
    return Fetched(snapshot, notes=tuple(notes), unread=frozenset(unread))


async def _list(client: ApiClient, kind: Kind, notes: list[str]) -> list[KubernetesObject]:
    objects: list[KubernetesObject] = []
    async for page in client.list_pages(Scope(kind), Decoder(kind)):
        objects += page.objects
        notes += [str(unreadable.problem) for unreadable in page.unreadable]
    return objects


async def _session_key(client: ApiClient, given: NamespacedName | None, notes: list[str]) -> bytes | None:
    """The controller's key: from the Secret that is named, else from where controllers keep theirs."""
    for place in (given,) if given else (NamespacedName(USUAL_NAMESPACE, NAME), NamespacedName("default", NAME)):
        try:
            return read_key(await client.fetch(Secret, place))
        except ConfigurationError as error:
            notes.append(str(error))
            return None
        except ApiServerRefused as error:
            if error.status == 403:
                notes.append(f"Secret {place} may not be read, so it is unknown here which pod a session names")
                return None
            if error.status != 404:
                raise
    notes.append(f"there is no Secret {given or NAME}, so it is unknown here which pod a session names")
    return None
