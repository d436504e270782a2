"""A stage while it is made: its folder, its environment, and what its instructions have said so far."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from remora.cluster.images.packages import Venv
from remora.cluster.kubelet.placing import PROGRAM_FOLDERS

_MACHINE_PATH = os.pathsep.join(PROGRAM_FOLDERS)
_SHELL = ("/bin/sh", "-c")


@dataclass
class Making:
    """A stage while it is made."""

    root: Path
    venv: Venv
    env: dict[str, str] = field(default_factory=lambda: {"PATH": _MACHINE_PATH})
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    shell: tuple[str, ...] = _SHELL
    ports: tuple[int, ...] = ()
    prefixes: set[str] = field(default_factory=set)
    has_packages: bool = False
    stop_signal: str = ""

    @property
    def values(self) -> dict[str, str]:
        """What a `$NAME` in an instruction may mean: ENV counts more than ARG."""
        return {**self.arguments, **self.env}

    def place(self, path: str) -> Path:
        """Where a path of the image is on this machine; what is relative is below the working directory."""
        normal = os.path.normpath(os.path.join(self.workdir, path))  # noqa: PTH118 - a path of the image
        return self.root / normal.lstrip("/")


def own_values(making: Making) -> dict[str, str]:
    return {name: value for name, value in making.values.items() if name != "PATH"}


def placed_word(making: Making, word: str) -> str:
    """A word with its path in the image's folder, if it is there."""
    name, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    if path.startswith("/") and making.place(path).exists() and making.place(path) != making.root:
        return f"{name}{equals}{making.place(path)}"
    return word


def link(place: Path, venv: Venv) -> None:
    """Makes a path of the image mean its environment."""
    if place.is_symlink():
        place.unlink()
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(venv.path, target_is_directory=True)


def relink(making: Making) -> None:
    venvs = str(making.venv.path.parent)
    for here, folders, _ in os.walk(making.root):
        for name in folders:
            path = Path(here, name)
            if path.is_symlink() and str(path.readlink()).startswith(venvs):
                link(path, making.venv)


def remove(making: Making, paths: Sequence[str]) -> None:
    for path in paths:
        inside = str(making.place(path).relative_to(making.root))
        for place in list(making.root.glob(inside)) if inside != "." else ():
            if not place.parent.resolve().is_relative_to(making.root.resolve()):
                continue  # through a link out of the image
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
