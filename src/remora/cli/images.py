"""Changing a profile's images; a cluster that runs sees the change at its next look."""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from remora.cluster.builtin import add_builtin_images
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.lock import claimed_indexes
from remora.cluster.profile import make_profile
from remora.core.errors import UsageError


def add_image(profile: str, name: str, command: Sequence[str], *, workdir: str, env: Mapping[str, str]) -> None:
    """Makes the command known under the name, in place of an earlier one.

    Raises:
        UsageError: the name cannot be an image's.
    """
    if not name or any(character.isspace() for character in name) or name.startswith("-"):
        raise UsageError(f"{name!r} cannot be an image's name")
    with _catalog(profile) as catalog:
        catalog.add(Image(name=name, command=tuple(command), workdir=workdir, env=env))


def remove_image(profile: str, name: str) -> None:
    """Forgets the name.

    Raises:
        UsageError: it is not known.
    """
    with _catalog(profile) as catalog:
        if not catalog.remove(name):
            raise UsageError(f"there is no image {name}; `remora image list` shows those that are known")


def read_images(profile: str) -> list[Image]:
    """All images, by name."""
    with _catalog(profile) as catalog:
        return sorted(catalog.read().values(), key=lambda image: image.name)


def parse_environment(pairs: Sequence[str]) -> dict[str, str]:
    """`K=V` to names and values.

    Raises:
        UsageError: one is not of that form.
    """
    for pair in pairs:
        if "=" not in pair or pair.startswith("="):
            raise UsageError(f"--env {pair!r} is not of the form K=V")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


@contextmanager
def _catalog(name: str) -> Iterator[ImageCatalog]:
    """The profile's images, held against another `remora image` at the same time."""
    profile = make_profile(name, claimed=claimed_indexes())
    with (profile.directory / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        catalog = ImageCatalog(profile.images)
        add_builtin_images(catalog)
        yield catalog
