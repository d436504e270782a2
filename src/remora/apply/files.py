"""Files that HAProxy reads, replaced whole or not at all."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, mode: int = 0o640) -> bool:
    """Writes the file unless it holds just this already. Readers see the old content or the new, never a part.

    Returns whether anything was written.
    """
    draft = _draft(path, content, mode)
    if draft is not None:
        draft.replace(path)
    return draft is not None


def write_all(files: Iterable[tuple[str, bytes]]) -> None:
    """Writes every file of pairs of path and content; private keys are among them, so nobody else may read any.

    On a full disk all files stay as they were: what HAProxy reads when it starts must fit together.
    """
    drafts: dict[Path, Path] = {}
    try:
        for name, content in files:
            if draft := _draft(Path(name), content, 0o600):
                drafts[Path(name)] = draft
    except BaseException:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
        raise
    for path, draft in drafts.items():
        draft.replace(path)


def _draft(path: Path, content: bytes, mode: int) -> Path | None:
    """A file beside the path with the content; None if it is there already."""
    try:
        if path.read_bytes() == content:
            return None
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def remove_others(directory: Path, kept: Collection[str]) -> None:
    """Removes the files of a directory whose paths are not among the kept ones."""
    for path in directory.iterdir() if directory.exists() else ():
        if str(path) not in kept:
            path.unlink(missing_ok=True)
