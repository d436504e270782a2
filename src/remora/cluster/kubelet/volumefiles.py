"""Writes what volumes contain, as the kubelet does: all files of a volume change in one step.

The files lie in a folder of their own beside `..data`, a symbolic link to it, and what a process opens are links through
`..data`. A change is a new folder and one `rename` of the link; a reader sees all old files or all new ones.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from remora.cluster.kubelet.environment import ConfigError
from remora.cluster.kubelet.volumes import Content, File, is_outside

_DATA = "..data"
_CHECKS = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def write_volume(directory: Path, content: Content) -> str:
    """Makes the volume what it is to be and gives the folder's path.

    Raises:
        ConfigError: a file's path leads out of the volume, or what a `hostPath` names is not there.
    """
    if content.folder:
        _check(Path(content.folder), content)
        return content.folder
    directory.mkdir(parents=True, exist_ok=True)
    if content.files is not None:
        _write(directory, content.files)
    return str(directory)


def make_subfolder(path: Path) -> None:
    """For a `subPath` of a volume that pods write to, which Kubernetes makes if it is not there."""
    if not path.exists():
        with contextlib.suppress(OSError):
            path.mkdir(parents=True, exist_ok=True)


def remove_directory(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _check(path: Path, content: Content) -> None:
    with contextlib.suppress(OSError):
        if content.is_claimed:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        elif content.kind == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        elif content.kind == "FileOrCreate":
            path.touch()
    if content.kind in _CHECKS:
        fits, what = _CHECKS[content.kind]
        if not path.exists() or not fits(path.stat().st_mode):
            raise ConfigError(f"hostPath type check failed: {path} is not {what}")


def _write(directory: Path, files: Mapping[str, File]) -> None:
    for name in files:
        if is_outside(name):
            raise ConfigError(f"the path {name!r} leads out of the volume")
    files = {str(Path(name)): file for name, file in files.items()}
    link = directory / _DATA
    before = link.resolve() if link.is_symlink() else None
    if before is None or not _is_same(before, files):
        folder = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S."), dir=directory))
        folder.chmod(0o755)
        for name, file in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(file.data)
            target.chmod(file.mode)
        _link(link, folder.name)
        if before is not None and before.parent == directory.resolve():
            remove_directory(before)
    _show(directory, {Path(name).parts[0] for name in files})


def _show(directory: Path, names: set[str]) -> None:
    """Links what is in `..data` where processes look for it, and removes links to what is no longer there."""
    for name in names:
        shown = directory / name
        if shown.is_dir() and not shown.is_symlink():
            remove_directory(shown)
        if not shown.is_symlink():
            _link(shown, f"{_DATA}/{name}")
    for entry in list(directory.iterdir()):
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink(missing_ok=True) if entry.is_symlink() or entry.is_file() else remove_directory(entry)


def _link(link: Path, target: str) -> None:
    draft = link.with_name(f"..{link.name.lstrip('.')}_tmp")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(link)


def _is_same(folder: Path, files: Mapping[str, File]) -> bool:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return found.keys() == files.keys() and all(_holds(found[name], file) for name, file in files.items())


def _holds(path: Path, file: File) -> bool:
    known = path.stat()
    if stat.S_IMODE(known.st_mode) != file.mode or known.st_size != len(file.data):
        return False
    # Its mode may keep even us from reading it; then size and mode have to do.
    return not os.access(path, os.R_OK) or path.read_bytes() == file.data
