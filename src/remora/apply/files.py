"""Files that HAProxy reads, replaced whole or not at all."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o640) -> bool:
    """Writes the file unless it holds just this already. Readers see the old content or the new, never a part.

    Returns whether anything was written.
    """
    try:
        if path.read_bytes() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
    return True


def write_all(files: Mapping[str, bytes]) -> None:
    """Writes every file of a path-to-content mapping; private keys are among them, so nobody else may read any."""
    for path, content in files.items():
        write_atomically(Path(path), content, mode=0o600)


def remove_others(directory: Path, kept: Collection[str]) -> None:
    """Removes the files of a directory whose paths are not among the kept ones."""
    for path in directory.iterdir() if directory.exists() else ():
        if str(path) not in kept:
            path.unlink(missing_ok=True)
