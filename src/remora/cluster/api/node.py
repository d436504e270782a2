"""What the API server asks of the node: it has the pods' logs."""

from collections.abc import AsyncIterator
from typing import Any, Protocol

Object = dict[str, Any]


class NodePort(Protocol):
    """Implemented by the kubelet."""

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
