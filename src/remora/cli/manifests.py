"""Reading manifests from files, folders and standard input."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from remora.core.errors import UsageError
from remora.report.manifests import Fault, Manifest, Place, read_manifests

_SUFFIXES = (".yaml", ".yml", ".json")


def read_paths(paths: Sequence[str]) -> Iterator[Manifest | Fault]:
    """The manifests of files, of all YAML and JSON files below folders, and of `-`, standard input.

    Raises:
        UsageError: there is no such file or folder.
    """
    for path in paths:
        if path == "-":
            yield from _read_text(sys.stdin.buffer.read(), "-", is_named=True)
            continue
        if not Path(path).exists():
            raise UsageError(f"there is no file or folder {path}")
        for file in _files(Path(path)):
            try:
                content = file.read_bytes()
            except OSError as error:
                yield Fault(Place(str(file)), f"cannot be read: {error.strerror}")
                continue
            yield from _read_text(content, str(file), is_named=not Path(path).is_dir())


def _files(path: Path) -> Iterable[Path]:
    if not path.is_dir():
        return (path,)
    below = (file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    return sorted(file for file in below if not any(part.startswith(".") for part in file.relative_to(path).parts))


def _read_text(content: bytes, file: str, *, is_named: bool) -> Iterator[Manifest | Fault]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Fault(Place(file, 1 + content[: error.start].count(b"\n")), "not UTF-8")
        return
    yield from read_manifests(text, file, is_named=is_named)
