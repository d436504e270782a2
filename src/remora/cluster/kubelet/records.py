"""What the disk knows of a running container, so that another cluster process finds its process again."""

import logging
from pathlib import Path

import msgspec

from remora.cluster.kubelet.processes import Identity

_log = logging.getLogger(__name__)


class Record(msgspec.Struct, frozen=True):
    """One running instance of a container; `instance` counts its restarts, `started_at` is ISO 8601."""

    identity: Identity
    instance: int
    started_at: str
    container_id: str
    env: dict[str, str]
    workdir: str
    stop_signal: str = ""


def write_record(path: Path, record: Record) -> None:
    """Replaces the record in one step."""
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)  # the environment may hold secrets
    draft.write_bytes(msgspec.json.encode(record))
    draft.replace(path)


def find_record(path: Path) -> Record | None:
    """The record, or None if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s is of no use: %s", path, error)
        return None
