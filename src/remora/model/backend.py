"""A service port and the pods behind it, and how a client is kept on one of them."""

from enum import Enum
from typing import NewType

import msgspec

from remora.core.names import NamespacedName
from remora.model.upstream import PLAIN_UPSTREAM, Upstream

BackendName = NewType("BackendName", str)
"""What a backend is called everywhere: `namespace-service-port`, the port as the Ingress writes it (as ingress-nginx does,
because the name is hashed into its cookies), then `@` and the balancing when one service port is balanced in several ways, and
`@` and how its endpoints are spoken to unless that is plain HTTP."""


class EndpointState(Enum):
    """What an endpoint may be given."""

    ACTIVE = "active"
    """New sessions and its own."""
    DRAINING = "draining"
    """Only the sessions that it has."""


class Endpoint(msgspec.Struct, frozen=True, order=True, gc=False):
    """One address that serves a backend.

    `key` is the endpoint's session key: lower-case hex, the same on every replica, and not to be traced back to an address.
    `address` is an IP address without brackets; `port` is 1 to 65535. `pod` names the pod for people ("" if there is none).
    """

    key: str
    address: str
    port: int
    pod: str = ""
    state: EndpointState = EndpointState.ACTIVE

    def __post_init__(self) -> None:
        assert self.key
        assert 0 < self.port < 65536


class Balancing(Enum):
    """How a request without a session is given an endpoint."""

    ROUND_ROBIN = "round-robin"
    """In turn. Sessions, if any, name their endpoint."""
    CONSISTENT_HASH = "consistent-hash"
    """By the session's key, or by what a HashBy says, on a ring, so that a change of endpoints moves only the keys that it
    must."""
    LEAST_CONNECTIONS = "least-connections"


class RequestFact(Enum):
    """A part of a request that needs no name."""

    TARGET = "target"
    """Path and query as the client wrote them."""
    PATH = "path"
    QUERY = "query"
    HOST = "host"
    CLIENT = "client"
    """The client's address."""
    SCHEME = "scheme"
    METHOD = "method"


class HashBy(msgspec.Struct, frozen=True, gc=False):
    """What of a request decides which endpoint serves it. Nothing at all is a key too: one endpoint serves everything.

    It decides for so many endpoints as `subset` says, any of which serves the request. `headers` are in lower case; the names
    of cookies and arguments are compared without regard to case.
    """

    facts: tuple[RequestFact, ...] = ()
    headers: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    subset: int = 1


class AffinityMode(Enum):
    """What happens to sessions when endpoints are added (annotation `affinity-mode`)."""

    BALANCED = "balanced"
    """The fair share of the sessions moves to the new endpoint."""
    PERSISTENT = "persistent"
    """Nothing moves until the endpoint is gone."""


class SameSite(Enum):
    """RFC 6265bis section 5.4.7."""

    NONE = "None"
    LAX = "Lax"
    STRICT = "Strict"


class CookieAttributes(msgspec.Struct, frozen=True, gc=False):
    """What stands behind the session cookie's value in `Set-Cookie` (RFC 6265 section 4.1.2).

    `expires` and `max_age` are seconds from now, possibly negative. `secure` None means: if the client came over TLS.
    """

    path: str = "/"
    domain: str = ""
    expires: int | None = None
    max_age: int | None = None
    secure: bool | None = None
    same_site: SameSite | None = None
    omit_same_site_for_old_browsers: bool = False
    partitioned: bool = False


class Placement(Enum):
    """Where a new session goes."""

    RANDOM = "random"
    LEAST_SESSIONS = "least-sessions"
    LEAST_CONNECTIONS = "least-connections"


class CookieFormat(Enum):
    """Whose cookies are issued. Those of both are understood always."""

    REMORA = "remora"
    INGRESS_NGINX = "ingress-nginx"


class SessionPolicy(msgspec.Struct, frozen=True, gc=False):
    """What is known and promised of a route's sessions. Times are in seconds, and positive.

    `tracking` is what counts in the end: the wish, or what a limit or LEAST_SESSIONS needs. `sliding` makes the cookie's own
    lifetime begin anew with visits.
    """

    tracking: bool = False
    idle_timeout: int | None = None
    absolute_timeout: int | None = None
    placement: Placement = Placement.RANDOM
    limit: int | None = None
    overflow: bool = False
    cookie_format: CookieFormat = CookieFormat.REMORA
    sliding: bool = False


class Affinity(msgspec.Struct, frozen=True, gc=False):
    """How a route keeps a client on its endpoint.

    `backend_key` is the second part of the cookie's value: lower-case hex, derived from the backend's name. `former_name` is
    what ingress-nginx calls the backend, where cookies of its format are issued.
    """

    mode: AffinityMode
    cookie_name: str
    backend_key: str
    attributes: CookieAttributes = CookieAttributes()
    change_on_failure: bool = False
    sessions: SessionPolicy = SessionPolicy()
    former_name: str = ""


class Backend(msgspec.Struct, frozen=True, gc=False):
    """A service port with the endpoints that it has now, ordered by key and without duplicates.

    `former_name` is what ingress-nginx calls the service port, and hashes into the cookies of its persistent mode; "" if
    no such cookies are to be understood. `origin` is the Service, for people. `external_name`
    is the DNS name whose addresses the endpoints are, or will be once it is resolved; "" where they are pods.
    """

    name: BackendName
    balancing: Balancing
    endpoints: tuple[Endpoint, ...] = ()
    former_name: str = ""
    origin: NamespacedName = NamespacedName("", "")
    external_name: str = ""
    upstream: Upstream = PLAIN_UPSTREAM
    """How the endpoints are spoken to; a part of the name."""
