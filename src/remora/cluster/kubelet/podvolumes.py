"""A pod's volumes as folders: made before its containers begin, and brought up to date while they run."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from remora.cluster.kubelet import volumes
from remora.cluster.kubelet.environment import ConfigError, Place
from remora.cluster.kubelet.shared import Shared
from remora.cluster.kubelet.volumefiles import make_subfolder, write_volume
from remora.cluster.objects import Object, annotations_of, key_of, labels_of

_log = logging.getLogger(__name__)

_CONFIG_RETRY = 1.0
_REFRESH = 60.0
"""Seconds between two looks at tokens, and at what changed unnoticed (the kubelet's sync period)."""


class PodVolumes:
    """`place` tells where they are, once they were made."""

    def __init__(self, directory: Path, shared: Shared, *, address: str) -> None:
        self._directory = directory
        self._shared = shared
        self._stale = asyncio.Event()
        self.place = Place(pod_ip=address, node_ip=shared.node_ip, node_name=shared.node_name, allocatable=shared.allocatable)

    async def make(self, find_pod: Callable[[], Object], stopping: asyncio.Event, *, failed: Callable[[str], None]) -> bool:
        """Makes them as soon as what goes into them exists; False if the pod stops meanwhile."""
        while not stopping.is_set():
            try:
                self._write(find_pod())
            except ConfigError as error:
                failed(str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_CONFIG_RETRY):
                        await stopping.wait()
            else:
                return True
        return False

    async def keep_up(self, find_pod: Callable[[], Object]) -> None:
        """Writes them anew for ever when something that they are made of changes, and looks from time to time."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH):
                    await self._stale.wait()
            self._stale.clear()
            try:
                self._write(find_pod())
            except ConfigError as error:
                _log.info("pod %s: volumes stay as they are: %s", key_of(find_pod()), error)

    def source_changed(self, pod: Object, resource: str, name: str) -> None:
        """A ConfigMap or Secret of the pod's namespace is another one now."""
        if (resource, name) in volumes.sources_of(pod):
            self._stale.set()

    def pod_changed(self, before: Object, after: Object) -> None:
        if labels_of(before) != labels_of(after) or annotations_of(before) != annotations_of(after):
            self._stale.set()

    def mounts(self, spec: Mapping[str, Any], values: Callable[[Place], Mapping[str, str]]) -> Place:
        """The place of one container, with its mounts. `values` is the environment at a place, for `subPathExpr`.

        Raises:
            ConfigError: a `subPath` leads out of its volume.
        """
        known = values(self.place) if volumes.has_subpath_expressions(spec) else None
        found = volumes.mounts(spec, self.place.volumes, known)
        for path in found.values():
            make_subfolder(Path(path))
        return msgspec.structs.replace(self.place, mounts=found)

    def _write(self, pod: Object) -> None:
        sources = self._shared.sources(pod["metadata"]["namespace"])
        maker = volumes.Maker(pod, self.place, sources, partial(self._shared.token, pod))
        folders: dict[str, str] = {}
        for volume in pod["spec"].get("volumes") or ():
            name = volume["name"]
            try:
                folders[name] = write_volume(self._directory / "volumes" / name, volumes.content(volume, maker))
            except (ConfigError, OSError) as error:
                raise ConfigError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        account = {name: volumes.File(data) for name, data in self._shared.account_files(pod).items()}
        folder = write_volume(self._directory / "serviceaccount", volumes.Content(account)) if account else ""
        self.place = msgspec.structs.replace(self.place, volumes=folders, service_account=folder)
