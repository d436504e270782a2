"""What `remora explain` and `remora routes` look at: a cluster or manifests, translated as the controller translates them."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from remora.core.errors import UsageError
from remora.core.names import NamespacedName
from remora.core.settings import INGRESS_NGINX_CONTROLLER, REMORA_CLASS, REMORA_CONTROLLER, RoutingSettings
from remora.haproxy.features.session_lifetime import derive_key
from remora.kube.objects import DnsAnswer, Ingress, IngressClass, ObjectMeta, Secret
from remora.kube.objects.ingress import IngressClassSpec
from remora.report.manifests import Fault, Manifest
from remora.translate import Translation, Translator
from remora.watch.snapshot import Snapshot

if TYPE_CHECKING:
    from remora.cli.fetch import Fetched

_NO_KEY = b"unknown"


class Observed(msgspec.Struct, frozen=True):
    """A snapshot and its translation. Without the session key the endpoints' keys are not those of the cookies."""

    snapshot: Snapshot
    translation: Translation
    has_key: bool
    notes: tuple[str, ...]
    lifetime_key: str = ""
    """What lifetimes in cookies are signed with, "" without the session key."""


def observe(files: Sequence[str], *, kubeconfig: str, context: str, flags: str) -> Observed:
    """The cluster of a kubeconfig, or what files hold. `flags` are the controller's.

    Raises:
        UsageError: a flag or a file cannot be used.
        RemoraError: the cluster cannot be read.
    """
    settings, secret, servers = _settings(flags)
    if files:
        snapshot, key, notes = _read(files, secret)
    else:
        from remora.cli.fetch import fetch_cluster

        fetched = fetch_cluster(kubeconfig, context, session_key_secret=secret)
        snapshot, key, notes = fetched.snapshot, fetched.session_key, fetched.notes
    first = _translated(settings, snapshot, key, notes)
    if not first.translation.lookups:
        return first
    from remora.cli.lookups import find_answers

    answers = find_answers(first.translation.lookups, servers)
    return _resolved(settings, first, key, answers)


async def observe_fetched(fetched: "Fetched", flags: str) -> Observed:
    """The same of what was fetched before.

    Raises:
        UsageError: a flag cannot be used.
    """
    import asyncio

    settings, _, servers = _settings(flags)
    key = fetched.session_key
    first = await asyncio.to_thread(_translated, settings, fetched.snapshot, key, fetched.notes)
    if not first.translation.lookups:
        return first
    from remora.cli.lookups import find_answers

    answers = await asyncio.to_thread(find_answers, first.translation.lookups, servers)
    return await asyncio.to_thread(_resolved, settings, first, key, answers)


def _translated(settings: RoutingSettings, snapshot: Snapshot, key: bytes | None, notes: tuple[str, ...]) -> Observed:
    settings = msgspec.structs.replace(settings, session_key=key or _NO_KEY)
    translation = Translator(settings).translate(snapshot, None)
    return Observed(snapshot, translation, key is not None, notes, derive_key(key) if key else "")


def _resolved(settings: RoutingSettings, first: Observed, key: bytes | None, answers: tuple[DnsAnswer, ...]) -> Observed:
    notes = (*first.notes, f"resolved on this machine: {', '.join(sorted(first.translation.lookups))}")
    snapshot = first.snapshot.changed(DnsAnswer, {one.key: one for one in answers})
    return _translated(settings, snapshot, key, notes)


def _settings(flags: str) -> tuple[RoutingSettings, NamespacedName | None, tuple[tuple[str, int], ...]]:
    """The settings, the Secret with the session key, and the DNS servers."""
    from remora.cli.controller import routing_of
    from remora.cli.controller_flags import FLAGS
    from remora.cli.flags import parse_flags

    try:
        words = shlex.split(flags)
    except ValueError as error:
        raise UsageError(f"--flags {flags!r}: {error}") from error
    given = parse_flags(words, FLAGS)
    return RoutingSettings(session_key=b"", **routing_of(given)), given["session-key-secret"], given["resolvers"]


def _read(files: Sequence[str], secret: NamespacedName | None) -> tuple[Snapshot, bytes | None, tuple[str, ...]]:
    from remora.cli.manifests import read_paths
    from remora.controller.session_key import NAME, USUAL_NAMESPACE, read_key

    snapshot = Snapshot()
    for name, controller in (("nginx", INGRESS_NGINX_CONTROLLER), (REMORA_CLASS, REMORA_CONTROLLER)):
        usual = IngressClass(ObjectMeta(name), spec=IngressClassSpec(controller))
        snapshot = snapshot.changed(IngressClass, {usual.key: usual})
    notes = []
    for one in read_paths(files):
        if isinstance(one, Manifest):
            snapshot = snapshot.changed(type(one.object), {one.object.key: one.object})
        elif isinstance(one, Fault):
            notes.append(f"{one.place}: {one.message}")
    if not snapshot.all(Ingress):
        notes.append(f"there is no Ingress in {', '.join(files)}")
    found = snapshot.find(Secret, secret or NamespacedName(USUAL_NAMESPACE, NAME))
    return snapshot, read_key(found) if found else None, tuple(notes)
