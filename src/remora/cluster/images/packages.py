"""Virtual environments of images: made step by step, each step kept under a key of all that went into it.

pip runs with the user's own configuration. A step that was interrupted has no mark of completeness, so it is made anew.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from remora.cluster.images.copying import relocate
from remora.core.errors import ConfigurationError

_COMPLETE = ".complete"
_PATIENCE = 20.0
_OUTPUTS = ("-w", "--wheel-dir", "-d", "--dest", "-t", "--target", "--src", "--report", "--log")
"""Options of pip that name what it writes."""
_FILES = ("-r", "--requirement", "-c", "--constraint")


class Venv(msgspec.Struct, frozen=True):
    """A virtual environment on disk."""

    key: str
    path: Path


class StepFailed(Exception):
    """A command of a step ended with an error; the text says which."""


class Packages:
    """The environments of one profile, made with one Python; `reused` counts steps that were there already."""

    def __init__(self, folder: Path, python: str) -> None:
        self._folder = folder
        self._python = python
        self.reused = 0

    def empty(self) -> Venv:
        """An environment without packages."""
        return self._make(_digest(self._python, _stamp(Path(self._python))), None, lambda _: None)

    def install(self, before: Venv, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], key: str) -> Venv:
        """pip with these arguments, on top of what is there; `key` stands for what it reads.

        Raises:
            StepFailed: pip failed.
        """
        return self._make(
            _digest(before.key, key),
            before,
            lambda path: _run([*self._pip(path), *arguments], cwd=cwd, env=_own(env, path), what=f"pip {arguments[0]}"),
        )

    def pip(self, venv: Venv, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        """pip for something other than the environment, which stays as it is.

        Raises:
            StepFailed: pip failed.
        """
        _run([*self._pip(venv.path), *arguments], cwd=cwd, env=_own(env, venv.path), what=f"pip {arguments[0]}")

    def run(self, before: Venv, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], key: str) -> Venv:
        """Another installer (`uv sync`, `poetry install`), on top of what is there.

        Raises:
            StepFailed: it failed.
        """
        return self._make(
            _digest(before.key, key),
            before,
            lambda path: _run(words, cwd=cwd, env=_own(env, path), what=" ".join(words)),
        )

    def prune(self, used: frozenset[str], *, older_than: float) -> None:
        """Removes what is half made, and what no image uses and nobody built with since."""
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            mark = path / _COMPLETE
            if str(path) not in used and (not mark.exists() or mark.stat().st_mtime < older_than):
                shutil.rmtree(path, ignore_errors=True)

    def _make(self, key: str, before: Venv | None, fill: Callable[[Path], None]) -> Venv:
        path = self._folder / key[:16]
        mark = path / _COMPLETE
        if mark.exists():
            os.utime(mark)
            self.reused += 1
            return Venv(key, path)
        shutil.rmtree(path, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            if before is None:
                flag = ["--without-pip"] if find_spec("pip") else []
                _run(
                    [self._python, "-m", "venv", *flag, str(path)],
                    cwd=self._folder,
                    env=dict(os.environ),
                    what="python -m venv",
                )
            else:
                shutil.copytree(before.path, path, symlinks=True, ignore=shutil.ignore_patterns(_COMPLETE))
                relocate(path, str(before.path), str(path))
            fill(path)
            mark.touch()
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return Venv(key, path)

    def _pip(self, path: Path) -> list[str]:
        if find_spec("pip"):
            return [sys.executable, "-m", "pip", "--python", str(path / "bin" / "python")]
        return [str(path / "bin" / "python"), "-m", "pip"]


def find_python(version: str) -> tuple[str, str]:
    """The Python to use, and what to tell if it is not of the version asked for."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version in ("", own):
        return sys.executable, ""
    if (found := shutil.which(f"python{version}")) and _is_usable(found):
        return found, ""
    return sys.executable, f"python{version} is not on this machine; Python {own} is used"


def _is_usable(python: str) -> bool:
    """Version managers put programs on the PATH that only say what is not installed."""
    try:
        done = subprocess.run([python, "-c", "import venv"], capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def files_read(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Requirement and constraint files among pip's arguments: where the path stands, and the path."""
    for index, word in enumerate(arguments):
        if word in _FILES and index + 1 < len(arguments):
            yield index + 1, arguments[index + 1]


def written(arguments: Sequence[str]) -> Iterator[int]:
    """Where among pip's arguments (as `split_flags` gives them) a path stands that pip writes to."""
    return (index + 1 for index, word in enumerate(arguments[:-1]) if word in _OUTPUTS)


def split_flags(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments with `-rFILE` and `--requirement=FILE` as two words, without those that make no sense here."""
    for word in arguments:
        name, equals, value = word.partition("=")
        if equals and name in (*_FILES, *_OUTPUTS):
            yield from (name, value)
        elif word[:2] in ("-r", "-c") and len(word) > 2 and not word.startswith("--"):
            yield from (word[:2], word[2:])
        elif word not in ("--no-cache-dir", "--no-cache", "-e", "--editable"):
            yield word


def digest_of(files: Sequence[Path]) -> str:
    """What stands for the content of files and folders."""
    found = hashlib.sha256()
    for path in files:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{file.relative_to(path)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def find_program(venv: Venv, program: str) -> str | None:
    """The program in the environment, or None."""
    path = venv.path / "bin" / program
    return str(path) if "/" not in program and path.is_file() else None


def run(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], venv: Venv) -> None:
    """Runs a program of the image.

    Raises:
        StepFailed: it failed.
    """
    _run(words, cwd=cwd, env=_own(env, venv.path), what=" ".join(words[:3]))


def _own(env: Mapping[str, str], path: Path) -> dict[str, str]:
    """The user's environment, so that pip finds its configuration, with the image's."""
    base = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
    }
    places = {"VIRTUAL_ENV": str(path), "UV_PROJECT_ENVIRONMENT": str(path), "POETRY_VIRTUALENVS_CREATE": "false"}
    search = os.pathsep.join([f"{path}/bin", os.environ.get("PATH", os.defpath)])
    return {**base, **env, **places, "PATH": search, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _run(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], what: str) -> None:
    """Its output goes to our standard error, where people look for progress; standard output is for results."""
    try:
        done = subprocess.run(list(words), cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=2, check=False)
    except OSError as error:
        raise StepFailed(f"{words[0]}: {error.strerror}") from error
    if done.returncode:
        raise StepFailed(f"{what} ended with {done.returncode}")


def _digest(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def _stamp(python: Path) -> str:
    try:
        found = python.resolve().stat()
    except OSError as error:
        raise ConfigurationError(f"{python} cannot be used: {error.strerror}") from error
    return f"{found.st_size} {found.st_mtime_ns}"
