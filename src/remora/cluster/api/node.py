"""What the API server asks of the node: it has the pods' logs and processes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec

Object = dict[str, Any]


class Size(msgspec.Struct, frozen=True, rename={"width": "Width", "height": "Height"}):
    """A terminal's size in characters."""

    width: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    height: Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Figures(msgspec.Struct, frozen=True):
    """Processor time in seconds, or processors used; memory in bytes."""

    cpu: float
    memory: int


class Usage(msgspec.Struct, frozen=True):
    """What was used during the last `window` seconds, by pod uid and container, and by the whole machine."""

    window: float
    containers: Mapping[tuple[str, str], Figures]
    node: Figures


class Console(Protocol):
    """A client at the other end of a command. Its methods wait as long as the client takes."""

    has_stdin: bool
    has_stdout: bool
    has_stderr: bool
    is_terminal: bool

    async def read(self) -> bytes:
        """What the client typed; b"" when it has closed its standard input."""
        ...

    async def write(self, data: bytes, *, is_error: bool = False) -> None: ...

    async def resized(self) -> Size:
        """The next size of the client's terminal."""
        ...


class NodePort(Protocol):
    """Implemented by the kubelet. All raise ApiError as Kubernetes words it."""

    def log(
        self,
        pod: Object,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail_lines: int | None,
        since_seconds: float | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """The log of one container in pieces; with `follow` for as long as the container runs.

        Raises, at the first step:
            ApiError: there is no log, such as for a container that has not started.
        """
        ...

    def check_running(self, pod: Object, container: str) -> None:
        """Raises:
        ApiError: the container does not run now.
        """
        ...

    async def execute(self, pod: Object, container: str, command: Sequence[str], console: Console) -> int:
        """Runs a command beside the container's process and gives its exit code. If cancelled, the command's session ends."""
        ...

    async def attach(self, pod: Object, container: str, console: Console) -> None:
        """Shows what the container's process prints from now on, until it ends, and passes it what the client types."""
        ...

    async def read_usage(self) -> Usage:
        """What containers use now; it may take a second."""
        ...
