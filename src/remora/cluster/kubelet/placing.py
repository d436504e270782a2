"""Paths and addresses of a container, as its process on this machine has to be told. Pure.

An image that was built from a Dockerfile has a folder that stands for `/`. A process has no root of its own, so every path in
its command and environment that begins with something of the image (`Image.owned`) gets the folder before it. And since all
pods share the machine, `0.0.0.0` in a command means the pod's own address.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remora.cluster.kubelet.images import Image

_EVERYWHERE = re.compile(r"(?<![\w.])0\.0\.0\.0(?![\w./])")
PROGRAM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def placed(text: str, image: "Image") -> str:
    """The text with the image's paths where they are on this machine."""
    if not image.root or not image.owned:
        return text
    owned = "|".join(re.escape(path) for path in sorted(image.owned, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])({owned})(?![\w.-])", lambda match: image.root + match[1], text)


def placed_words(words: Iterable[str], image: "Image", pod_ip: str) -> list[str]:
    """A command's words; those of other images stay as they are."""
    if not image.root:
        return list(words)
    return [_EVERYWHERE.sub(pod_ip, placed(word, image)) if pod_ip else placed(word, image) for word in words]


def placed_folder(path: str, image: "Image") -> str:
    """A working directory."""
    return placed(os.path.normpath(path), image) if path else ""


def image_environment(image: "Image", inherited: Mapping[str, str]) -> dict[str, str]:
    """What a built image adds: its variables, and a PATH of its own programs before the machine's."""
    env = {name: placed(value, image) for name, value in image.env.items() if name != "PATH"}
    wanted = [placed(part, image) for part in image.env.get("PATH", "").split(os.pathsep) if part]
    own = [part for part in wanted if part.startswith(image.root)]
    env["PATH"] = os.pathsep.join(dict.fromkeys([*own, *_programs(image), *_split(inherited), *wanted]))
    env["REMORA_IMAGE_ROOT"] = image.root
    return {**env, "VIRTUAL_ENV": image.venv} if image.venv else env


def _programs(image: "Image") -> Sequence[str]:
    own = [image.root + folder for folder in PROGRAM_FOLDERS if any(path.startswith(folder + "/") for path in image.owned)]
    return [*own, f"{image.venv}/bin"] if image.venv else own


def _split(inherited: Mapping[str, str]) -> Sequence[str]:
    return [part for part in inherited.get("PATH", os.defpath).split(os.pathsep) if part]
