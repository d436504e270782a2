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
    is_whole: bool = True
    """Whether everything that was named could be read."""


def observe(files: Sequence[str], *, kubeconfig: str, context: str, flags: str) -> Observed:
    """The cluster of a kubeconfig, or what files hold. `flags` are the controller's.

    Raises:
        UsageError: a flag or a file cannot be used.
        RemoraError: the cluster cannot be read.
    """
    settings, secret, servers = _settings(flags)
    if files:
        manifests, faults = _read(files)
        snapshot, key, notes = _placed(manifests, files, secret, settings)
        first = _translated(settings, snapshot, key, (*(f"{one.place}: {one.message}" for one in faults), *notes))
        first = msgspec.structs.replace(first, is_whole=not faults)
    else:
        from remora.cli.fetch import fetch_cluster

        fetched = fetch_cluster(kubeconfig, context, session_key_secret=secret)
        first = _translated(settings, fetched.snapshot, fetched.session_key, fetched.notes)
        key = fetched.session_key
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
    return msgspec.structs.replace(_translated(settings, snapshot, key, notes), is_whole=first.is_whole)


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


def _read(files: Sequence[str]) -> tuple[list[Manifest], list[Fault]]:
    from remora.cli.manifests import read_paths

    read = list(read_paths(files))
    return [one for one in read if isinstance(one, Manifest)], [one for one in read if isinstance(one, Fault)]


def _placed(
    manifests: Sequence[Manifest], files: Sequence[str], secret: NamespacedName | None, settings: RoutingSettings
) -> tuple[Snapshot, bytes | None, tuple[str, ...]]:
    """The manifests as a cluster that has the usual classes too, its session key, and what is worth saying."""
    from remora.controller.session_key import NAME, USUAL_NAMESPACE, read_key
    from remora.report.check import class_note

    snapshot = Snapshot()
    for name, controller in (("nginx", INGRESS_NGINX_CONTROLLER), (REMORA_CLASS, REMORA_CONTROLLER)):
        usual = IngressClass(ObjectMeta(name), spec=IngressClassSpec(controller))
        snapshot = snapshot.changed(IngressClass, {usual.key: usual})
    for one in manifests:
        snapshot = snapshot.changed(type(one.object), {one.object.key: one.object})
    classes = tuple(snapshot.all(IngressClass))
    notes = [
        f"{one.place}: {one.object.ref}: {message}"
        for one in manifests
        if isinstance(one.object, Ingress) and (message := class_note(one.object, classes, settings))
    ]
    snapshot = _with_foreign_classes(snapshot, settings)
    if not snapshot.all(Ingress):
        notes.append(f"there is no Ingress in {', '.join(files)}")
    found = snapshot.find(Secret, secret or NamespacedName(USUAL_NAMESPACE, NAME))
    return snapshot, read_key(found) if found else None, tuple(notes)


def _with_foreign_classes(snapshot: Snapshot, settings: RoutingSettings) -> Snapshot:
    """With a class for every other name: one that is not among the files may well be in the cluster, as somebody else's."""
    known = {one.metadata.name for one in snapshot.all(IngressClass)} | {settings.ingress_class}
    named = {one.spec.ingress_class_name for one in snapshot.all(Ingress)} - known
    for name in sorted(name for name in named if name):
        foreign = IngressClass(ObjectMeta(name))
        snapshot = snapshot.changed(IngressClass, {foreign.key: foreign})
    return snapshot
