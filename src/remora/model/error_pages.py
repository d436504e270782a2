"""Who answers in place of a route's own pods, and what that one is told."""

import msgspec

from remora.model.backend import BackendName


class ErrorContext(msgspec.Struct, frozen=True, gc=False):
    """What a default backend is told about the rule for which it answers. Texts are names, or "" where there is none."""

    namespace: str
    ingress: str
    service: str
    port: str


class StandIn(msgspec.Struct, frozen=True, gc=False):
    """The request goes to a default backend, since the rule's own has no endpoints: error 503.

    As the client wrote it, or with `at_root` to `/` with the query.
    """

    context: ErrorContext
    at_root: bool = False


class ErrorPages(msgspec.Struct, frozen=True, gc=False):
    """The answers with one of the `statuses` are replaced by those of `backend`; by a plain 404 if that is None.

    With `leaves_pods` only those that are made before a pod is asked.
    """

    statuses: tuple[int, ...]
    context: ErrorContext
    backend: BackendName | None = None
    leaves_pods: bool = False
