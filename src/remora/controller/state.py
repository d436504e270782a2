"""Where HAProxy's files and sockets are kept, and that only one controller keeps them there."""

import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from remora.core.errors import ConfigurationError, UsageError

USUAL = "/var/lib/remora"
LONGEST = 80
"""Bytes of a directory in which HAProxy can have its sockets: of the 107 of a socket's path (unix(7)) it needs the rest for
the name and, while it binds, for a suffix."""


_PLAIN = re.compile(r"[A-Za-z0-9_./+=~-]*")
"""`$`, commas and blanks mean something in HAProxy's addresses and lists of certificates."""


def mounted(path: str, environ: Mapping[str, str]) -> Path:
    """Where a path really is.

    In a pod of the local cluster a volume is a folder elsewhere, and `REMORA_VOLUMES` (JSON, mount path to folder) says where.
    """
    volumes: dict[str, str] = json.loads(environ.get("REMORA_VOLUMES") or "{}")
    for mount in sorted(volumes, key=len, reverse=True):
        if Path(path).is_relative_to(mount):
            return Path(volumes[mount]) / Path(path).relative_to(mount)
    return Path(path)


def state_directory(given: str, environ: Mapping[str, str]) -> Path:
    """The directory, made if it is not there.

    Raises:
        UsageError: it cannot be written to.
    """
    wanted = given or environ.get("REMORA_STATE_DIR", "")
    if wanted:
        return _made(mounted(wanted, environ).absolute())
    usual = mounted(USUAL, environ)
    if _is_writable(usual):
        return _made(usual)
    home = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return _made(Path(home).absolute() / "remora" / "controller")


def short_directory(directory: Path) -> Path:
    """The directory itself, or a short link to it if its path is too long for sockets or holds what HAProxy misreads.

    Raises:
        ConfigurationError: the place for the link belongs to another user.
    """
    if len(os.fsencode(directory)) <= LONGEST and _PLAIN.fullmatch(str(directory)):
        return directory
    place = Path(tempfile.gettempdir()) / f"remora-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise ConfigurationError(f"{place} belongs to another user; choose a --state-dir with at most {LONGEST} bytes")
    link = place / hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    if not link.is_symlink() or link.readlink() != directory:
        _sweep(place)
        draft = link.with_suffix(f".{os.getpid()}")
        draft.unlink(missing_ok=True)
        draft.symlink_to(directory)
        draft.replace(link)
    return link


def _sweep(place: Path) -> None:
    """Removes links whose directories are gone: a pod's goes with the pod, and nobody is left who would think of the link."""
    for link in place.iterdir():
        with suppress(OSError):
            if link.is_symlink() and not link.exists():
                link.unlink()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps other controllers off the directory; the lock ends with the process, however that ends.

    Raises:
        UsageError: another controller has it.
    """
    with (directory / "controller.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(
                f"another controller runs with the state directory {directory}; stop it, or choose another with --state-dir"
            ) from error
        yield


def _is_writable(directory: Path) -> bool:
    if directory.exists():
        return os.access(directory, os.W_OK | os.X_OK)
    return os.access(directory.parent, os.W_OK | os.X_OK)


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"--state-dir: {directory} cannot be made: {error.strerror}; choose another with --state-dir"
        ) from error
    if not _is_writable(directory):
        raise UsageError(f"--state-dir: {directory} is not writable; choose another with --state-dir")
    return directory
