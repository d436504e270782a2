"""Carries out RUN: what `commands` made of it, in a stage that is being made."""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from remora.cluster.images import commands, packages
from remora.cluster.images.dockerfile import DockerfileError, Instruction, without_heredocs
from remora.cluster.images.making import Making, link, own_values, placed_word, relink, remove
from remora.cluster.images.packages import Packages, StepFailed, Venv
from remora.cluster.images.words import json_form

_INSTALLERS = ("uv", "poetry", "pdm", "pipenv", "hatch")


class Runner:
    """Runs with one Python's packages; `tell` hears of what was reused, `note` (line, text) of what was left out."""

    def __init__(self, packages: Packages, *, tell: Callable[[str], None], note: Callable[[int, str], None]) -> None:
        self._packages = packages
        self._tell = tell
        self._note = note
        self.reused = 0

    def run(self, making: Making, instruction: Instruction) -> None:
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

    def _act(self, making: Making, action: commands.Action, line: int) -> None:  # noqa: C901 - one case for each action
        match action:
            case commands.Pip():
                self._pip(making, action)
            case commands.MakeVenv(path=path):
                link(making.place(path), making.venv)
            case commands.MakeDirectory(paths=paths):
                for path in paths:
                    making.place(path).mkdir(parents=True, exist_ok=True)
            case commands.Touch(paths=paths):
                for path in paths:
                    making.place(path).parent.mkdir(parents=True, exist_ok=True)
                    making.place(path).touch()
            case commands.Remove(paths=paths):
                remove(making, paths)
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

    def _pip(self, making: Making, action: commands.Pip) -> None:
        words = list(packages.split_flags(action.arguments))
        outputs = {index: str(making.place(words[index])) for index in packages.written(words)}
        arguments = [outputs.get(index) or placed_word(making, word) for index, word in enumerate(words)]
        read = []
        for index, path in packages.files_read(arguments):
            place = Path(path) if path.startswith(str(making.root)) else making.place(path)
            if not place.exists():
                raise StepFailed(f"{path} is not in the image: COPY it before this RUN")
            arguments[index] = str(place)
            read += [place, *_nested(place)]
        local, arguments = _local(making, arguments)
        if outputs or "wheel" in arguments[:1] or "download" in arguments[:1]:
            making.place(".").mkdir(parents=True, exist_ok=True)
            self._packages.pip(making.venv, arguments, cwd=making.place("."), env=own_values(making))
            return
        key = packages.digest_of([*read, *([making.root] if local else [])])
        shown = [word.replace(str(making.root), "") for word in arguments]
        making.venv = self._layer(making, arguments, shown, key)
        making.has_packages = True
        if action.prefix:
            making.prefixes.add(action.prefix.rstrip("/"))
        relink(making)

    def _layer(self, making: Making, arguments: Sequence[str], shown: Sequence[str], key: str) -> Venv:
        cwd = making.place(".")
        cwd.mkdir(parents=True, exist_ok=True)
        before = self._packages.reused
        key = "\n".join((key, *shown))
        venv = self._packages.install(making.venv, arguments, cwd=cwd, env=own_values(making), key=key)
        if self._packages.reused > before:
            self.reused += 1
            self._tell("    installed by an earlier build")
        return venv

    def _execute(self, making: Making, action: commands.Execute) -> None:
        program, cwd = action.words[0], making.place(".")
        env = {**own_values(making), **action.env}
        words = [placed_word(making, word) for word in action.words]
        if program in _INSTALLERS:
            if not (packages.find_program(making.venv, program) or shutil.which(program)):
                raise commands.CommandRefused(
                    f"{program} is not on this machine: install it, or RUN pip install {program} before"
                )
            key = "\n".join((packages.digest_of([making.root]), *action.words))
            making.venv = self._packages.run(making.venv, words, cwd=cwd, env=env, key=key)
            making.has_packages = True
            # Where these look for, and so Dockerfiles name, the environment of a project.
            link(making.place(".venv"), making.venv)
            relink(making)
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

    def _set_mode(self, making: Making, arguments: Sequence[str], line: int) -> None:
        mode, *paths = arguments or ("",)
        for path in paths:
            place = making.place(path)
            if not place.exists():
                self._note(line, f"chmod {mode} {path} has no effect: it is not in the image")
            elif re.fullmatch(r"[0-7]{3,4}", mode):
                place.chmod(int(mode, 8))
            elif "+x" in mode or "+rx" in mode:
                place.chmod(place.stat().st_mode | 0o111)


def _local(making: Making, arguments: Sequence[str]) -> tuple[bool, list[str]]:
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
