"""Waiting for a container's image, in the stages that the kubelet shows while it tries to pull one."""

import asyncio
import contextlib
from collections.abc import Callable

from remora.cluster.kubelet.backoff import image_pause
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.kubelet.states import Waiting
from remora.core.errors import ConfigurationError

_LOOK = 0.25
"""Seconds between two looks at the catalogue's time stamp."""
_NEVER_PULL_RETRY = 60.0

Tell = Callable[[str, str, str], None]
"""Records an Event: reason, message, type."""


class ImageWait:
    """Finds one image as soon as the catalogue knows it, unless `is_to_end` is set before."""

    def __init__(
        self, images: ImageCatalog, *, tell: Tell, waiting: Callable[[Waiting], None], is_to_end: asyncio.Event
    ) -> None:
        self._images = images
        self._tell = tell
        self._waiting = waiting
        self._is_to_end = is_to_end

    async def find(self, name: str, pull_policy: str) -> Image | None:
        """The image, waited for as long as it takes; None if the container is to end meanwhile."""
        pause = 0.0
        while not self._is_to_end.is_set():
            image, why = self._look(name)
            if image is not None:
                self._tell(
                    "Pulled", f'Container image "{name}" already present on machine and can be accessed by the pod', "Normal"
                )
                return image
            if pull_policy == "Never":
                message = f'Container image "{name}" is not present with pull policy of Never: {why}'
                self._tell("ErrImageNeverPull", message, "Warning")
                self._waiting(Waiting("ErrImageNeverPull", message))
                await self._until_changed(_NEVER_PULL_RETRY)
                continue
            pause = image_pause(pause)
            await self._back_off(name, why, pause)
        return None

    async def _back_off(self, name: str, why: str, pause: float) -> None:
        self._tell("Failed", f'Failed to pull image "{name}": {why}', "Warning")
        self._tell("Failed", "Error: ErrImagePull", "Warning")
        self._waiting(Waiting("ErrImagePull", why))
        await self._until_changed(1.0)
        if self._look(name)[0] is None:
            self._tell("BackOff", f'Back-off pulling image "{name}"', "Normal")
            self._tell("Failed", "Error: ImagePullBackOff", "Warning")
            self._waiting(Waiting("ImagePullBackOff", f'Back-off pulling image "{name}": {why}'))
            await self._until_changed(pause)

    def _look(self, name: str) -> tuple[Image | None, str]:
        """The image, or why there is none."""
        try:
            return self._images.find(name), self._images.explain_unknown(name)
        except ConfigurationError as error:
            return None, str(error)

    async def _until_changed(self, seconds: float) -> None:
        """Returns early when the catalogue changes or the container is to end."""
        stamp = self._images.stamp
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._images.stamp == stamp and not self._is_to_end.is_set():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK):
                            await self._is_to_end.wait()
