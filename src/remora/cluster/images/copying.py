"""COPY and ADD: files of the build's folder, or of another stage, into an image's folder."""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from remora.cluster.images.dockerfile import DockerfileError
from remora.cluster.images.ignored import Rule, has_pattern, is_ignored, pattern


class Source(msgspec.Struct, frozen=True):
    """Where files come from: a folder, and what in it is left out."""

    folder: Path
    rules: tuple[Rule, ...] = ()
    what: str = "the build's folder"


def copy(source: Source, wanted: Sequence[str], target: Path, *, is_folder: bool, line: int, mode: str, unpacks: bool) -> None:
    """Copies as COPY does: a folder's content, not the folder; several sources go into a folder.

    Raises:
        DockerfileError: there is no such source, or the target cannot be what it has to be.
    """
    found = [path for text in wanted for path in _find(source, text, line)]
    if len(found) > 1 and not is_folder:
        raise DockerfileError(
            line, f"several files are copied, so {target.name} has to be a folder: write it with / at its end"
        )
    for path in found:
        if path.is_dir():
            _copy_folder(source, path, target, mode, line)
        elif unpacks and tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                archive.extractall(target, filter="data")
        else:
            _copy_file(path, target / path.name if is_folder or target.is_dir() else target, mode, line)


def _find(source: Source, text: str, line: int) -> Sequence[Path]:
    relative = os.path.normpath(text.lstrip("/") or ".")
    if relative.startswith(".."):
        raise DockerfileError(line, f"{text} is outside of {source.what}: copy it there first, or build from the folder above")
    if not has_pattern(relative):
        path = source.folder / relative
        if not path.exists() or (relative != "." and not path.is_dir() and is_ignored(relative, source.rules)):
            why = " (.dockerignore leaves it out)" if path.exists() else ""
            raise DockerfileError(line, f"{text} is not in {source.what}{why}: {source.folder}")
        return [path]
    expression = re.compile(pattern(relative))
    found = [path for path in _at_depth(source.folder, relative) if expression.fullmatch(str(path.relative_to(source.folder)))]
    kept = [path for path in found if not is_ignored(str(path.relative_to(source.folder)), source.rules)]
    if not kept:
        raise DockerfileError(line, f"nothing in {source.what} is like {text}: {source.folder}")
    return kept


def _at_depth(folder: Path, relative: str) -> Iterator[Path]:
    return iter(sorted(folder.rglob("*") if "**" in relative else folder.glob("/".join("*" for _ in Path(relative).parts))))


def _copy_folder(source: Source, folder: Path, target: Path, mode: str, line: int) -> None:
    _make_folder(target, line)
    for here, folders, names in os.walk(folder):
        relative = Path(here).relative_to(source.folder)
        into = target / Path(here).relative_to(folder)
        for name in [*names, *(name for name in folders if Path(here, name).is_symlink())]:
            if not is_ignored(str(relative / name), source.rules):
                _copy_file(Path(here, name), into / name, mode, line)
        # A folder that is left out is still looked into: a later `!` may bring back what is in it.
        folders[:] = [name for name in folders if not Path(here, name).is_symlink()]
        for name in folders:
            if not is_ignored(str(relative / name), source.rules):
                _make_folder(into / name, line)


def _copy_file(path: Path, target: Path, mode: str, line: int) -> None:
    _make_folder(target.parent, line)
    if target.is_dir() and not target.is_symlink():
        raise DockerfileError(line, f"{path.name} cannot be copied over the folder {target.name}")
    target.unlink(missing_ok=True)
    shutil.copy2(path, target, follow_symlinks=False)
    if re.fullmatch(r"0?[0-7]{3,4}", mode) and not target.is_symlink():
        target.chmod(int(mode, 8))


def _make_folder(folder: Path, line: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DockerfileError(line, f"{folder.name} is a file already, and would have to be a folder") from None


_SHARED = frozenset({
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc", "/root", "/run",
    "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/etc",  # noqa: S108
    "/usr/local/lib", "/usr/local/sbin", "/usr/local/share", "/usr/sbin", "/usr/share", "/var", "/var/cache", "/var/lib",
    "/var/log", "/var/opt", "/var/run", "/var/spool", "/var/tmp", "/var/www", "/etc/ssl", "/etc/ssl/certs",  # noqa: S108
})  # fmt: skip
"""Folders that every machine has: in them only what the image brings is the image's."""


def owned_paths(root: Path, folder: str = "/") -> Iterator[str]:
    """The paths that are the image's own, as a program names them; a folder stands for all that is in it."""
    for entry in sorted(os.scandir(root / folder.strip("/")), key=lambda entry: entry.name):
        path = f"{folder.rstrip('/')}/{entry.name}"
        if path in _SHARED and entry.is_dir(follow_symlinks=False):
            yield from owned_paths(root, path)
        else:
            yield path


def relocate(folder: Path, before: str, after: str) -> None:
    """Makes virtual environments that were copied into `folder` mean their new place."""
    for marker in folder.rglob("pyvenv.cfg"):
        for path in (marker, *(marker.parent / "bin").glob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes()
            if before.encode() in content:
                path.write_bytes(content.replace(before.encode(), after.encode()))
