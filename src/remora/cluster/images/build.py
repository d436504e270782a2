"""Carries a Dockerfile out: one folder for each stage, the last of which becomes the image's.

Folders of a build have a name of their own, so pods of an earlier image of the same tag keep theirs. Whatever ends a build
early, its folders are removed; what a killed one left is removed by the next.
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from remora.cluster.images import commands, copying, packages
from remora.cluster.images.copying import Source
from remora.cluster.images.dockerfile import DockerfileError, Instruction, parse_dockerfile
from remora.cluster.images.ignored import parse_ignored
from remora.cluster.images.making import Making, link
from remora.cluster.images.packages import Packages, StepFailed, Venv
from remora.cluster.images.reading import copy_words, one_word, ports, shell_words, short, spoken
from remora.cluster.images.running import Runner
from remora.cluster.images.stages import Stage, declared_arguments, find_source, find_target, needed, parse_stages
from remora.cluster.images.words import WordsError, pairs, substituted
from remora.cluster.kubelet.images import Image

_PACKAGE_PLACES = re.compile(
    r"/usr/local|/usr/local/(?:bin|lib|lib/python[0-9.]+(?:/site-packages)?)|(?:/root|/home/[^/]+)/\.local(?:/.*)?|.*/site-packages"
)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to build: `folder` is where images are kept, `build` the name of this build's folder."""

    tag: str
    context: Path
    dockerfile: Path
    folder: Path
    build: str
    created: str
    arguments: Mapping[str, str] = {}
    target: str = ""


class Built(msgspec.Struct, frozen=True):
    """An image and what the person should know about it."""

    image: Image
    notes: tuple[str, ...]
    steps: int
    reused: int


def build(request: Request, tell: Callable[[str], None]) -> Built:
    """Builds; `tell` hears of each step.

    Raises:
        DockerfileError: an instruction cannot be honoured.
        ConfigurationError: Python cannot be used.
    """
    folder = request.folder / request.build
    try:
        return _Builder(request, folder, tell).build()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _Builder:
    def __init__(self, request: Request, folder: Path, tell: Callable[[str], None]) -> None:
        self._request = request
        self._folder = folder
        self._tell = tell
        self._notes: list[str] = []
        self._number = 0
        self._runners: dict[str, Runner] = {}
        """By Python."""
        self._made: dict[int, Making] = {}
        self._python: dict[int, str] = {}
        """What each stage is made with."""
        instructions = parse_dockerfile(request.dockerfile.read_text())
        self._stages, self._globals = parse_stages(instructions, request.arguments)
        self._source = Source(request.context, parse_ignored(_read_ignored(request)))
        self._check_arguments(instructions)

    def build(self) -> Built:
        target = find_target(self._stages, self._request.target)
        if target is None:
            names = ", ".join(stage.name or str(stage.index) for stage in self._stages)
            raise DockerfileError(1, f"there is no stage {self._request.target}: the stages are {names}")
        order = needed(self._stages, target)
        self._total = sum(1 + len(stage.instructions) for stage in order)
        for stage in order:
            self._make(stage)
        image = self._image(self._made[target.index])
        for stage in order:
            if stage is not target:
                shutil.rmtree(self._made[stage.index].root, ignore_errors=True)
        return Built(
            image, tuple(dict.fromkeys(self._notes)), self._number, sum(runner.reused for runner in self._runners.values())
        )

    def _make(self, stage: Stage) -> None:
        self._step(f"FROM {stage.image} AS {stage.name}".removesuffix(" AS "))
        root = self._folder / str(stage.index)
        if stage.base >= 0:
            base, self._python[stage.index] = self._made[stage.base], self._python[stage.base]
            shutil.copytree(base.root, root, symlinks=True)
            making = replace(base, root=root, env=dict(base.env), arguments={}, prefixes=set(base.prefixes))
        else:
            root.mkdir(parents=True)
            try:
                making = Making(root, self._start(stage))
            except StepFailed as error:
                raise DockerfileError(stage.line, f"FROM {stage.image}: {error}") from error
        self._made[stage.index] = making
        for instruction in stage.instructions:
            self._step(str(instruction))
            self._carry_out(stage, making, instruction)

    def _start(self, stage: Stage) -> Venv:
        """The environment to begin with, of the Python that the base means."""
        python, note = packages.find_python(stage.python)
        if note:
            self._note(stage.line, note)
        if not stage.python and stage.image != "scratch" and "python" not in stage.image and "uv" not in stage.image:
            self._note(stage.line, f"{stage.image} means this machine: its programs are used as they are")
        found = Packages(self._request.folder / "venvs", python)
        self._runners.setdefault(python, Runner(found, tell=self._tell, note=self._note))
        self._python[stage.index] = python
        return found.empty()

    def _carry_out(self, stage: Stage, making: Making, instruction: Instruction) -> None:
        try:
            self._honour(stage, making, instruction)
        except (WordsError, commands.CommandRefused, StepFailed) as error:
            raise DockerfileError(instruction.line, f"{short(instruction)}: {error}") from error
        except OSError as error:
            raise DockerfileError(instruction.line, f"{short(instruction)}: {error.strerror}: {error.filename}") from error

    def _honour(self, stage: Stage, making: Making, instruction: Instruction) -> None:  # noqa: C901 - one case for each
        match instruction.name:
            case "ARG":
                making.arguments |= declared_arguments(instruction, making.values, self._request.arguments, self._globals)
            case "ENV":
                making.env |= dict(pairs(instruction.text, making.values))
            case "WORKDIR":
                making.workdir = os.path.normpath(os.path.join(making.workdir, one_word(instruction, making)))  # noqa: PTH118
                making.place(".").mkdir(parents=True, exist_ok=True)
            case "COPY" | "ADD":
                self._copy(stage, making, instruction)
            case "RUN":
                self._runners[self._python[stage.index]].run(making, instruction)
            case "EXPOSE":
                making.ports += tuple(ports(instruction, making))
            case "CMD":
                making.command = spoken(instruction, making)
            case "ENTRYPOINT":
                making.entrypoint, making.command = spoken(instruction, making), ()
            case "SHELL":
                making.shell = shell_words(instruction)
            case "STOPSIGNAL":
                making.stop_signal = one_word(instruction, making)
            case _:
                self._pass_over(instruction)

    def _pass_over(self, instruction: Instruction) -> None:
        why = {
            "USER": "processes run as you",
            "HEALTHCHECK": "Kubernetes asks the pod's probes instead",
            "VOLUME": "the folder is part of the image, and shared by its pods; use a volume of the pod",
            "ONBUILD": "no image is built from this one",
        }.get(instruction.name)
        if why:
            self._note(instruction.line, f"{short(instruction)} has no effect: {why}")

    def _copy(self, stage: Stage, making: Making, instruction: Instruction) -> None:
        words = copy_words(instruction, making)
        if "chown" in instruction.flags:
            self._note(instruction.line, "--chown has no effect: files are yours")
        target, heredocs = words[-1], {document.name: document for document in instruction.heredocs}
        is_folder = target.endswith(("/", "/.")) or target in (".", "..")
        place = making.place(target)
        for word in [word for word in words[:-1] if word.startswith("<<")]:
            document = heredocs[word.lstrip("<-").strip("\"'")]
            into = place / document.name if is_folder else place
            into.parent.mkdir(parents=True, exist_ok=True)
            into.write_text(document.text if document.is_literal else substituted(document.text, making.values))
        sources = [word for word in words[:-1] if not word.startswith("<<")]
        if "from" in instruction.flags:
            sources, source = self._from_stage(stage, making, instruction, sources, target)
        else:
            source = self._source
        if any(re.match(r"[a-z+]+://|git@", word) for word in sources):
            why = "nothing is fetched: download it beforehand and COPY it"
            raise DockerfileError(instruction.line, f"{short(instruction)}: {why}")
        if sources:
            mode, unpacks = instruction.flags.get("chmod", ""), instruction.name == "ADD"
            copying.copy(source, sources, place, is_folder=is_folder, line=instruction.line, mode=mode, unpacks=unpacks)

    def _from_stage(
        self, stage: Stage, making: Making, instruction: Instruction, words: Sequence[str], target: str
    ) -> tuple[list[str], Source]:
        """What is left to copy once the packages of the other stage are taken over, and from where."""
        name = substituted(instruction.flags["from"], {**self._globals, **making.values})
        found = find_source(self._stages, stage, name)
        if found is None:
            if re.search(r"(^|/)uv(:|$)", name):
                self._note(instruction.line, "uv of this machine is used, if it is there")
                return [], self._source
            earlier = ", ".join(other.name or str(other.index) for other in self._stages[: stage.index]) or "none"
            why = f"is no stage of this file ({earlier}); nothing is taken from other images: COPY files instead"
            raise DockerfileError(instruction.line, f"--from={name} {why}")
        other = self._made[found.index]
        left = []
        for word in words:
            place = Path(os.path.normpath(other.root / word.lstrip("/")))
            if place.is_symlink() and place.resolve() == other.venv.path.resolve():
                self._take_over(making, other, instruction.line)
                link(making.place(target), making.venv)
            elif (_PACKAGE_PLACES.fullmatch(word.rstrip("/")) or word.rstrip("/") in other.prefixes) and not place.exists():
                self._take_over(making, other, instruction.line)
            elif _PACKAGE_PLACES.fullmatch(word.rstrip("/")) and other.has_packages:
                self._take_over(making, other, instruction.line)
                left.append(word)
            else:
                left.append(word)
        return left, Source(other.root, what=f"stage {name}")

    def _take_over(self, making: Making, other: Making, line: int) -> None:
        if making.has_packages and making.venv != other.venv:
            raise DockerfileError(line, "both stages have packages of their own: install them all in one of the two")
        making.venv, making.has_packages = other.venv, other.has_packages

        # Other changes concern users that do not exist here.

    def _image(self, making: Making) -> Image:
        if not making.entrypoint and not making.command:
            self._note(0, "the image has no CMD and no ENTRYPOINT: a pod has to give a command")
        return Image(
            name=self._request.tag,
            command=making.entrypoint,
            arguments=making.command,
            workdir=making.workdir,
            env=making.env,
            root=str(making.root),
            owned=tuple(copying.owned_paths(making.root)),
            venv=str(making.venv.path),
            ports=tuple(dict.fromkeys(making.ports)),
            created=self._request.created,
            stop_signal=making.stop_signal,
        )

    def _check_arguments(self, instructions: Sequence[Instruction]) -> None:
        declared = {word.partition("=")[0] for found in instructions if found.name == "ARG" for word in found.text.split()}
        for name in self._request.arguments:
            if name not in declared:
                self._note(0, f"--build-arg {name} is not declared by any ARG, so it has no effect")

    def _step(self, text: str) -> None:
        self._number += 1
        self._tell(f"[{self._number}/{self._total}] {text.splitlines()[0][:150]}")

    def _note(self, line: int, text: str) -> None:
        self._notes.append(f"{self._request.dockerfile.name}:{line}: {text}" if line else text)


def _read_ignored(request: Request) -> str:
    """That of the Dockerfile if it has one of its own, else the folder's; the Dockerfile itself is never copied by accident."""
    for path in (request.dockerfile.with_name(request.dockerfile.name + ".dockerignore"), request.context / ".dockerignore"):
        if path.is_file():
            return path.read_text()
    return ""
