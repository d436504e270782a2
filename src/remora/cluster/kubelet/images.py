"""Images: commands known by an image name, kept in the profile's `images.json`.

`command` stands for ENTRYPOINT and `arguments` for CMD: a container's `command` replaces both, its `args` alone replace the
arguments. What `remora image add` makes has no arguments, so there `args` are appended.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from remora.core.errors import ConfigurationError

_PREFIXES = ("docker.io/library/", "docker.io/", "index.docker.io/library/", "index.docker.io/")


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """How to run what an image name stands for; `workdir` is an absolute path, "" for the pod's own directory.

    `program` is the path by which a container's `command` may call the image's own, "" if that is not known.

    The other fields are of images that were built: `root` is the folder that stands for `/`, `owned` the paths that the image
    brings, `venv` its virtual environment, `ports` what it exposes.
    """

    name: str
    command: tuple[str, ...]
    workdir: str = ""
    env: Mapping[str, str] = {}
    arguments: tuple[str, ...] = ()
    root: str = ""
    owned: tuple[str, ...] = ()
    venv: str = ""
    ports: tuple[int, ...] = ()
    created: str = ""
    stop_signal: str = ""
    program: str = ""


def short_name(name: str) -> str:
    """The name as people write it: without Docker Hub's registry and without `:latest`."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    return name.removesuffix(":latest")


def find_image(images: Mapping[str, Image], name: str) -> Image | None:
    """The image of exactly this name, else of the same name in short, else None."""
    if name in images:
        return images[name]
    wanted = short_name(name)
    return next((image for known, image in images.items() if short_name(known) == wanted), None)


def unknown_image(name: str, option: str) -> str:
    """What to tell about an image that is not known, with the next step; `option` names the profile (" --profile NAME")."""
    command = f"remora image add{option} {name} -- COMMAND [ARG...]"
    build = f"remora image build{option} -t {name} DIR"
    known = f'image "{name}" is not known here: tell Remora how to run it with: {command}'
    return f"{known}, or build it from a Dockerfile with: {build}"


class ImageCatalog:
    """The images of one profile. The file is read anew when it has changed, since other processes write it too."""

    def __init__(self, path: Path, *, option: str = "") -> None:
        """`option` is what to type for this profile: "" for the default one, otherwise " --profile NAME"."""
        self._path = path
        self._option = option
        self._stamp: tuple[int, int] | None = None
        self._images: Mapping[str, Image] = {}

    @property
    def stamp(self) -> tuple[int, int]:
        """Changes whenever the file does; (0, 0) if there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_ino)

    def read(self) -> Mapping[str, Image]:
        """All images by name.

        Raises:
            ConfigurationError: the file is not what `write` makes.
        """
        stamp = self.stamp
        if stamp != self._stamp:
            self._images = self._read() if stamp != (0, 0) else {}
            self._stamp = stamp
        return self._images

    def find(self, name: str) -> Image | None:
        """The image that a container's `image` means, or None."""
        return find_image(self.read(), name)

    def explain_unknown(self, name: str) -> str:
        """What to tell about an image that is not known, with the next step."""
        return unknown_image(name, self._option)

    def add(self, image: Image) -> None:
        """Adds an image or replaces the one of its name."""
        self._write({**self.read(), image.name: image})

    def remove(self, name: str) -> bool:
        """Whether there was one of exactly this name, which is gone now."""
        images = dict(self.read())
        if images.pop(name, None) is None:
            return False
        self._write(images)
        return True

    def _read(self) -> Mapping[str, Image]:
        try:
            listed = msgspec.json.decode(self._path.read_bytes(), type=list[Image])
        except (OSError, msgspec.MsgspecError) as error:
            why = f"{self._path} cannot be read: {error}"
            raise ConfigurationError(f"{why}. Correct it, or remove it and add or build your own images again") from error
        return {image.name: image for image in listed}

    def _write(self, images: Mapping[str, Image]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(list(images.values()))) + b"\n")
        draft.replace(self._path)
