"""Carries a Dockerfile out: one folder for each stage, the last of which becomes the image's.

Folders of a build have a name of their own, so pods of an earlier image of the same tag keep theirs. Whatever ends a build
early, its folders are removed; what a killed one left is removed by the next.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from remora.cluster.images import commands, copying, packages
from remora.cluster.images.copying import Source
from remora.cluster.images.dockerfile import DockerfileError, Instruction, parse_dockerfile, without_heredocs
from remora.cluster.images.ignored import parse_ignored
from remora.cluster.images.packages import Packages, StepFailed, Venv
from remora.cluster.images.stages import Stage, declared_arguments, find_source, find_target, needed, parse_stages
from remora.cluster.images.words import WordsError, json_form, pairs, split, substituted
from remora.cluster.kubelet.images import Image
from remora.cluster.kubelet.placing import PROGRAM_FOLDERS

_MACHINE_PATH = os.pathsep.join(PROGRAM_FOLDERS)
_PACKAGE_PLACES = re.compile(
    r"/usr/local|/usr/local/(?:bin|lib|lib/python[0-9.]+(?:/site-packages)?)|(?:/root|/home/[^/]+)/\.local(?:/.*)?|.*/site-packages"
)
_INSTALLERS = ("uv", "poetry", "pdm", "pipenv", "hatch")
_SHELL = ("/bin/sh", "-c")


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


@dataclass
class _Making:
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

    @property
    def values(self) -> dict[str, str]:
        """What a `$NAME` in an instruction may mean: ENV counts more than ARG."""
        return {**self.arguments, **self.env}

    def place(self, path: str) -> Path:
        """Where a path of the image is on this machine; what is relative is below the working directory."""
        normal = os.path.normpath(os.path.join(self.workdir, path))  # noqa: PTH118 - a path of the image
        return self.root / normal.lstrip("/")


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
        self._packages: Packages | None = None
        self._reused = 0
        self._made: dict[int, _Making] = {}
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
        return Built(image, tuple(dict.fromkeys(self._notes)), self._number, self._reused)

    def _make(self, stage: Stage) -> None:
        self._step(f"FROM {stage.image} AS {stage.name}".removesuffix(" AS "))
        root = self._folder / str(stage.index)
        if stage.base >= 0:
            base = self._made[stage.base]
            shutil.copytree(base.root, root, symlinks=True)
            making = replace(base, root=root, env=dict(base.env), arguments={}, prefixes=set(base.prefixes))
        else:
            root.mkdir(parents=True)
            making = _Making(root, self._start(stage).empty())
        self._made[stage.index] = making
        for instruction in stage.instructions:
            self._step(str(instruction))
            self._carry_out(stage, making, instruction)

    def _start(self, stage: Stage) -> Packages:
        python, note = packages.find_python(stage.python)
        if note:
            self._note(stage.line, note)
        if not stage.python and stage.image != "scratch" and "python" not in stage.image and "uv" not in stage.image:
            self._note(stage.line, f"{stage.image} means this machine: its programs are used as they are")
        self._packages = Packages(self._request.folder / "venvs", python)
        return self._packages

    def _carry_out(self, stage: Stage, making: _Making, instruction: Instruction) -> None:
        try:
            self._honour(stage, making, instruction)
        except (WordsError, commands.CommandRefused, StepFailed) as error:
            raise DockerfileError(instruction.line, f"{_short(instruction)}: {error}") from error
        except OSError as error:
            raise DockerfileError(instruction.line, f"{_short(instruction)}: {error.strerror}: {error.filename}") from error

    def _honour(self, stage: Stage, making: _Making, instruction: Instruction) -> None:
        match instruction.name:
            case "ARG":
                making.arguments |= declared_arguments(instruction, making.values, self._request.arguments, self._globals)
            case "ENV":
                making.env |= dict(pairs(instruction.text, making.values))
            case "WORKDIR":
                making.workdir = os.path.normpath(os.path.join(making.workdir, _one(instruction, making)))  # noqa: PTH118
                making.place(".").mkdir(parents=True, exist_ok=True)
            case "COPY" | "ADD":
                self._copy(stage, making, instruction)
            case "RUN":
                self._run(making, instruction)
            case "EXPOSE":
                making.ports += tuple(_ports(instruction, making))
            case "CMD":
                making.command = _spoken(instruction, making)
            case "ENTRYPOINT":
                making.entrypoint, making.command = _spoken(instruction, making), ()
            case "SHELL":
                making.shell = _shell(instruction)
            case _:
                self._pass_over(instruction)

    def _pass_over(self, instruction: Instruction) -> None:
        why = {
            "USER": "processes run as you",
            "HEALTHCHECK": "Kubernetes asks the pod's probes instead",
            "STOPSIGNAL": "pods are ended by SIGTERM",
            "VOLUME": "the folder is part of the image, and shared by its pods; use a volume of the pod",
            "ONBUILD": "no image is built from this one",
        }.get(instruction.name)
        if why:
            self._note(instruction.line, f"{_short(instruction)} has no effect: {why}")

    def _copy(self, stage: Stage, making: _Making, instruction: Instruction) -> None:
        words = _copy_words(instruction, making)
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
            raise DockerfileError(instruction.line, f"{_short(instruction)}: {why}")
        if sources:
            mode, unpacks = instruction.flags.get("chmod", ""), instruction.name == "ADD"
            copying.copy(source, sources, place, is_folder=is_folder, line=instruction.line, mode=mode, unpacks=unpacks)

    def _from_stage(
        self, stage: Stage, making: _Making, instruction: Instruction, words: Sequence[str], target: str
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
                _link(making.place(target), making.venv)
            elif (_PACKAGE_PLACES.fullmatch(word.rstrip("/")) or word.rstrip("/") in other.prefixes) and not place.exists():
                self._take_over(making, other, instruction.line)
            elif _PACKAGE_PLACES.fullmatch(word.rstrip("/")) and other.has_packages:
                self._take_over(making, other, instruction.line)
                left.append(word)
            else:
                left.append(word)
        return left, Source(other.root, what=f"stage {name}")

    def _take_over(self, making: _Making, other: _Making, line: int) -> None:
        if making.has_packages and making.venv != other.venv:
            raise DockerfileError(line, "both stages have packages of their own: install them all in one of the two")
        making.venv, making.has_packages = other.venv, other.has_packages

    def _run(self, making: _Making, instruction: Instruction) -> None:
        mounts = instruction.flags.get("mount", "")
        if "type=bind" in mounts or "type=secret" in mounts or "type=ssh" in mounts:
            raise DockerfileError(instruction.line, f"--mount={mounts} is not honoured: COPY the file before the RUN")
        words = json_form(instruction.text)
        text = without_heredocs(instruction.text)
        if words is not None:
            actions: Sequence[commands.Action] = [commands.decide(words)]
        elif instruction.heredocs:
            if text and text.rpartition("/")[2] not in ("sh", "bash", "sh -e", "bash -e", "sh -ex", "bash -ex"):
                raise commands.CommandRefused("a heredoc is understood for a shell only: COPY the file")
            script = "\n".join(line for line in instruction.heredocs[0].text.splitlines() if not line.lstrip().startswith("#"))
            actions = commands.parse_run(script, making.values)
        else:
            actions = commands.parse_run(text, making.values)
        inside = replace(making, env=dict(making.env))
        for action in actions:
            self._act(inside, action, instruction.line)
        making.venv, making.has_packages, making.prefixes = inside.venv, inside.has_packages, inside.prefixes

    def _act(self, making: _Making, action: commands.Action, line: int) -> None:  # noqa: C901 - one case for each action
        match action:
            case commands.Pip():
                self._pip(making, action)
            case commands.MakeVenv(path=path):
                _link(making.place(path), making.venv)
            case commands.MakeDirectory(paths=paths):
                for path in paths:
                    making.place(path).mkdir(parents=True, exist_ok=True)
            case commands.Touch(paths=paths):
                for path in paths:
                    making.place(path).parent.mkdir(parents=True, exist_ok=True)
                    making.place(path).touch()
            case commands.Remove(paths=paths):
                _remove(making, paths)
            case commands.SetMode(arguments=arguments):
                self._set_mode(making, arguments, line)
            case commands.Execute():
                self._execute(making, action)
            case commands.Skip(why=why):
                if why:
                    self._note(line, why)
            case commands.Enter(path=path):
                making.workdir = os.path.normpath(os.path.join(making.workdir, path))  # noqa: PTH118 - a path of the image
            case commands.Export(values=values):
                making.env |= values

    def _pip(self, making: _Making, action: commands.Pip) -> None:
        arguments = [_placed(making, word) for word in packages.split_flags(action.arguments)]
        read = []
        for index, path in packages.files_read(arguments):
            place = Path(path) if path.startswith(str(making.root)) else making.place(path)
            if not place.exists():
                raise StepFailed(f"{path} is not in the image: COPY it before this RUN")
            arguments[index] = str(place)
            read += [place, *_nested(place)]
        local, arguments = _local(making, arguments)
        key = packages.digest_of([*read, *([making.root] if local else [])])
        shown = [word.replace(str(making.root), "") for word in arguments]
        making.venv = self._layer(making, arguments, shown, key)
        making.has_packages = True
        if action.prefix:
            making.prefixes.add(action.prefix.rstrip("/"))
        _relink(making)

    def _layer(self, making: _Making, arguments: Sequence[str], shown: Sequence[str], key: str) -> Venv:
        assert self._packages is not None
        cwd = making.place(".")
        cwd.mkdir(parents=True, exist_ok=True)
        before = self._packages.reused
        key = "\n".join((key, *shown))
        venv = self._packages.install(making.venv, arguments, cwd=cwd, env=_own_values(making), key=key)
        if self._packages.reused > before:
            self._reused += 1
            self._tell("    installed by an earlier build")
        return venv

    def _execute(self, making: _Making, action: commands.Execute) -> None:
        assert self._packages is not None
        program, cwd = action.words[0], making.place(".")
        env = {**_own_values(making), **action.env}
        words = [_placed(making, word) for word in action.words]
        if program in _INSTALLERS and (packages.find_program(making.venv, program) or shutil.which(program)):
            key = "\n".join((packages.digest_of([making.root]), *action.words))
            making.venv = self._packages.run(making.venv, words, cwd=cwd, env=env, key=key)
            making.has_packages = True
            _relink(making)
            return
        if re.fullmatch(r"(?:.*/)?python[0-9.]*", program):
            words[0] = str(making.venv.path / "bin" / "python")
        elif found := packages.find_program(making.venv, program.rpartition("/")[2]):
            words[0] = found
        elif not making.place(program).is_file():
            raise commands.CommandRefused(
                f"{program!r} is not run: a process has no file system of its own, so only pip, Python and programs of the "
                "image's environment run here. Do this beforehand and COPY what it makes"
            )
        packages.run(words, cwd=cwd, env=env, venv=making.venv)

    def _set_mode(self, making: _Making, arguments: Sequence[str], line: int) -> None:
        mode, *paths = arguments or ("",)
        for path in paths:
            place = making.place(path)
            if not place.exists():
                self._note(line, f"chmod {mode} {path} has no effect: it is not in the image")
            elif re.fullmatch(r"[0-7]{3,4}", mode):
                place.chmod(int(mode, 8))
            elif "+x" in mode or "+rx" in mode:
                place.chmod(place.stat().st_mode | 0o111)
            # Other changes concern users that do not exist here.

    def _image(self, making: _Making) -> Image:
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


def _short(instruction: Instruction) -> str:
    return str(instruction).splitlines()[0][:100]


def _one(instruction: Instruction, making: _Making) -> str:
    words = split(substituted(instruction.text, making.values))
    if len(words) != 1:
        raise WordsError("one word is expected")
    return words[0]


def _copy_words(instruction: Instruction, making: _Making) -> list[str]:
    words = json_form(instruction.text)
    values = making.values
    spoken = [substituted(word, values) for word in words] if words else list(split(substituted(instruction.text, values)))
    if len(spoken) < 2:
        raise WordsError("a source and a target are expected")
    return spoken


def _spoken(instruction: Instruction, making: _Making) -> tuple[str, ...]:
    words = json_form(instruction.text)
    return words if words is not None else (*making.shell, instruction.text)


def _shell(instruction: Instruction) -> tuple[str, ...]:
    words = json_form(instruction.text)
    if not words:
        raise WordsError('write SHELL ["program", "argument"]')
    return words


def _ports(instruction: Instruction, making: _Making) -> Iterator[int]:
    for word in split(substituted(instruction.text, making.values)):
        number, _, protocol = word.partition("/")
        if not number.partition("-")[0].isdecimal():
            raise WordsError(f"{word!r} is no port")
        if protocol in ("", "tcp"):
            yield int(number.partition("-")[0])


def _placed(making: _Making, word: str) -> str:
    """A word with its path in the image's folder, if it is there."""
    name, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    if path.startswith("/") and making.place(path).exists() and making.place(path) != making.root:
        return f"{name}{equals}{making.place(path)}"
    return word


def _local(making: _Making, arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether pip reads files of the image besides lists of requirements; and its arguments with patterns resolved."""
    is_local, result = False, []
    for index, word in enumerate(arguments):
        is_file = index > 0 and arguments[index - 1] in ("-r", "--requirement", "-c", "--constraint")
        folder = making.place(word.partition("[")[0])
        if word.startswith("-") or is_file:
            is_local = is_local or "find-links" in word
            result.append(word)
        elif "*" in word:
            found = sorted(making.root.glob(str(making.place(word).relative_to(making.root))))
            is_local, result = True, [*result, *(str(path) for path in found)]
        else:
            is_local = is_local or (
                index > 0 and (folder.exists() and ("/" in word or word.startswith(".") or folder.is_file()))
            )
            is_local = is_local or word.startswith(str(making.root))
            result.append(word)
    return is_local, result


def _nested(path: Path) -> Iterator[Path]:
    """Files that a list of requirements names in its turn."""
    for line in path.read_text(errors="replace").splitlines():
        match = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)", line)
        if match and (nested := path.parent / match[1]).is_file():
            yield nested
            yield from _nested(nested) if nested != path else ()


def _own_values(making: _Making) -> dict[str, str]:
    return {name: value for name, value in making.values.items() if name != "PATH"}


def _link(place: Path, venv: Venv) -> None:
    """Makes a path of the image mean its environment."""
    if place.is_symlink():
        place.unlink()
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(venv.path, target_is_directory=True)


def _relink(making: _Making) -> None:
    venvs = str(making.venv.path.parent)
    for here, folders, _ in os.walk(making.root):
        for name in folders:
            path = Path(here, name)
            if path.is_symlink() and str(path.readlink()).startswith(venvs):
                _link(path, making.venv)


def _remove(making: _Making, paths: Sequence[str]) -> None:
    for path in paths:
        inside = str(making.place(path).relative_to(making.root))
        for place in list(making.root.glob(inside)) if inside != "." else ():
            if not place.parent.resolve().is_relative_to(making.root.resolve()):
                continue  # through a link out of the image
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
