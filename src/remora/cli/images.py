"""Changing a profile's images; a cluster that runs sees the change at its next look."""

import fcntl
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from remora.cluster.builtin import add_builtin_images, builtin_images
from remora.cluster.images.build import Built, Request, build
from remora.cluster.images.dockerfile import DockerfileError
from remora.cluster.images.packages import Packages
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.kubelet.processes import find_marked
from remora.cluster.lock import claimed_indexes
from remora.cluster.profile import Profile, make_profile
from remora.core.errors import UsageError

_NAME = re.compile(
    r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
"""A reference as Docker and containerd take it: registry, path in lower case, tag, digest."""
_KEPT_FOR = 14 * 86400.0
"""Seconds that an environment is kept for the next build after the last one that used it."""


def check_image_name(name: str) -> None:
    """Whether a pod could ask for it.

    Raises:
        UsageError: it could not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be an image's name: write it in lower case, like shop/web:1.0")


def add_image(profile: str, name: str, command: Sequence[str], *, workdir: str, env: Mapping[str, str]) -> Image:
    """Makes the command known under the name, in place of an earlier one.

    Raises:
        UsageError: the name cannot be an image's.
    """
    check_image_name(name)
    with _catalog(profile) as catalog:
        image = Image(name=name, command=tuple(command), workdir=workdir, env=env)
        catalog.add(image)
        return image


def build_image(
    profile: str,
    name: str,
    folder: Path,
    *,
    file: Path | None,
    arguments: Mapping[str, str],
    target: str,
    tell: Callable[[str], None],
) -> Built:
    """Builds a Dockerfile and makes the result known under the name; builds of one profile take turns.

    Raises:
        UsageError: the name cannot be an image's, or the Dockerfile cannot be honoured.
    """
    check_image_name(name)
    dockerfile = file or folder / "Dockerfile"
    if not dockerfile.is_file():
        raise UsageError(f"there is no {dockerfile}; name the Dockerfile with --file")
    found = make_profile(profile, claimed=claimed_indexes())
    found.built_images.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (found.directory / "builds.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _prune(found)
        now = datetime.now(UTC)
        request = Request(
            tag=name,
            context=folder,
            dockerfile=dockerfile,
            folder=found.built_images,
            build=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
            created=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            arguments=arguments,
            target=target,
        )
        try:
            built = build(request, tell)
        except DockerfileError as error:
            raise UsageError(f"{dockerfile}:{error.line}: {error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{dockerfile} is no text in UTF-8") from error
        with _catalog(profile) as catalog:
            catalog.add(built.image)
        _prune(found)
        return built


def _prune(profile: Profile) -> None:
    """Removes what builds left that no image means any more and in which no process runs."""
    known = ImageCatalog(profile.images).read().values()
    running = set(find_marked("REMORA_IMAGE_ROOT"))
    kept = {str(Path(root).parent) for root in (*running, *(image.root for image in known)) if root}
    for path in profile.built_images.iterdir():
        if path.name != "venvs" and str(path) not in kept:
            shutil.rmtree(path, ignore_errors=True)
    venvs = frozenset({*(image.venv for image in known), *find_marked("VIRTUAL_ENV")})
    Packages(profile.built_images / "venvs", sys.executable).prune(venvs, older_than=time.time() - _KEPT_FOR)


def remove_image(profile: str, name: str) -> None:
    """Forgets the name.

    Raises:
        UsageError: it is not known, or comes back by itself.
    """
    if name in {image.name for image in builtin_images()}:
        raise UsageError(f"{name} comes with Remora and stays; `remora image add` puts something else in its place")
    with _catalog(profile) as catalog:
        if not catalog.remove(name):
            raise UsageError(f"there is no image {name}; `remora image list` shows those that are known")
    found = make_profile(profile, claimed=claimed_indexes())
    if found.built_images.is_dir():
        with (found.directory / "builds.lock").open("w") as lock, suppress(BlockingIOError):
            # A build that runs now does it at its end.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _prune(found)


def read_images(profile: str) -> list[Image]:
    """All images, by name."""
    with _catalog(profile) as catalog:
        return sorted(catalog.read().values(), key=lambda image: image.name)


def parse_environment(pairs: Sequence[str], option: str = "--env") -> dict[str, str]:
    """`K=V` to names and values.

    Raises:
        UsageError: one is not of that form.
    """
    for pair in pairs:
        if "=" not in pair or pair.startswith("="):
            raise UsageError(f"{option} {pair!r} is not of the form K=V")
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
