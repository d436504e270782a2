"""What is done to the requests and answers of a route beside sending them somewhere."""

from enum import Enum

import msgspec


class Cors(msgspec.Struct, frozen=True, gc=False):
    """What browsers may do from pages of other origins (Fetch standard, section 3.3). Texts are those of the headers.

    `origins` are in lower case: `scheme://host[:port]`, `scheme://*.host[:port]` for exactly one label, or `null`. None
    stands for any origin, and then the headers are on every answer.
    """

    origins: tuple[str, ...] | None
    methods: str
    headers: str
    credentials: bool
    expose_headers: str
    max_age: int


class Limits(msgspec.Struct, frozen=True, gc=False):
    """How much one client may ask for. 0 sets no limit.

    `counter` names what is counted together. `burst` times a rate may come at once. `exempt` networks have no limits but
    `bandwidth`, in bytes a second for a response of more than `bandwidth_after`. With `is_shared` all replicas count together.
    """

    counter: str
    per_second: int = 0
    per_minute: int = 0
    burst: int = 5
    connections: int = 0
    exempt: tuple[str, ...] = ()
    bandwidth: int = 0
    bandwidth_after: int = 0
    is_shared: bool = False


class ClientHost(Enum):
    """The part of a Host header that comes from the client's."""

    AS_SENT = "as sent"
    """The client's Host header."""
    NAME = "name"
    """The same in lower case and without its port."""


class UpstreamHost(msgspec.Struct, frozen=True, gc=False):
    """The Host header that a pod is sent: what stands `before` and `after` the client's own, or just `before`."""

    before: str
    client: ClientHost | None = None
    after: str = ""
