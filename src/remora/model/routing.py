"""Which request goes where, and what is done to it on the way."""

from enum import Enum
from typing import NewType

import msgspec

from remora.core.names import Hostname, NamespacedName
from remora.core.options import ProxyOptions
from remora.model.access import OPEN, Access
from remora.model.backend import Affinity, Backend, BackendName, Balancing, HashBy
from remora.model.certificate import Certificate
from remora.model.client_tls import ClientTls
from remora.model.error_pages import ErrorPages, StandIn
from remora.model.external_auth import ExternalAuth
from remora.model.learning import Learning
from remora.model.peering import Peering
from remora.model.policies import Cors, Limits, UpstreamHost
from remora.model.proxying import AnswerNames, Mirror, Retries
from remora.model.snippets import Step
from remora.model.streams import TcpService
from remora.model.tracing import Tracing
from remora.model.upstream import UpstreamFile

RouteId = NewType("RouteId", str)
"""A route's name in metrics, logs and policies: 16 lower-case hex digits derived from Ingress, host, path and path type, so
that it is the same on every replica and survives any change of the route's own settings."""


class ExactPath(msgspec.Struct, frozen=True, gc=False, order=True, tag=True):
    """The whole path, case-sensitive."""

    path: str


class PrefixPath(msgspec.Struct, frozen=True, gc=False, order=True, tag=True):
    """The path and everything below it, element by element; `path` has no slash at its end, so "/" is ""."""

    path: str


class RegexPath(msgspec.Struct, frozen=True, gc=False, order=True, tag=True):
    """A PCRE, case-insensitive, anchored at the start. Patterns of one host are tried in the order of its routes."""

    pattern: str


PathMatch = ExactPath | PrefixPath | RegexPath


class ConstantPath(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The whole path is replaced by `path`."""

    path: str


class StripPrefix(msgspec.Struct, frozen=True, gc=False, tag=True):
    """`prefix` (no slash at its end, compared without regard to case) is taken off; what is left begins with a slash."""

    prefix: str


class ReplacePath(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The path, if it matches `pattern` from its start (PCRE, case-insensitive), is replaced by `replacement`, in which
    `$1` to `$9` stand for the pattern's groups."""

    pattern: str
    replacement: str


PathRewrite = ConstantPath | StripPrefix | ReplacePath


class ForwardTo(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The request is sent to a backend. `forwarded_prefix` is what its pods are told in X-Forwarded-Prefix, "" for nothing.

    Without affinity, `balancing` chooses the endpoint, a consistent hash by what `hash_by` says. A session that was learned
    goes before all of these.
    """

    backend: BackendName
    affinity: Affinity | None = None
    rewrite: PathRewrite | None = None
    upstream_host: UpstreamHost | None = None
    forwarded_prefix: str = ""
    balancing: Balancing = Balancing.ROUND_ROBIN
    hash_by: HashBy | None = None
    learning: Learning | None = None
    stand_in: StandIn | None = None
    read_timeout: int | None = None
    """Seconds that a pod may be silent, or a connection that left HTTP; None as for all routes."""
    retries: Retries | None = None
    closes_connection: bool = False
    """Whether each request has a connection to its pod of its own."""
    answer_names: AnswerNames | None = None
    mirror: Mirror | None = None
    over_http: BackendName | None = None
    """The backend for requests that came by plain HTTP, where it is another: the same endpoints, spoken to in another way."""


class LocationBase(Enum):
    """What a redirect to a path is made absolute with, beside the request's scheme."""

    HOST = "host"
    """The Host as sent, port included."""
    HOST_WITHOUT_PORT = "host without port"
    NONE = "none"
    """It stays a path."""


class RedirectTo(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The client is sent elsewhere. `location` is absolute (`https://…`) or a path.

    `status` is 300 to 308; those that are no redirects (300, 304, 305, 306) are answered without a Location.
    With a `rewrite` the status is 302, and the location is followed by what becomes of the path, and by the query.
    """

    location: str
    status: int
    base: LocationBase = LocationBase.HOST
    rewrite: PathRewrite | None = None


class RedirectToHost(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The client is sent to the same URL on another host. `status` is 301, 302, 307 or 308."""

    host: Hostname
    status: int


class HttpsRedirect(msgspec.Struct, frozen=True, gc=False):
    """How plain HTTP is sent to HTTPS. `status` is 301, 302, 307 or 308."""

    status: int
    keeps_slash: bool = False
    """Whether a slash at the end of the target stays."""
    names_port: bool = False
    """Whether the Location has HTTPS's port."""


class Unavailable(msgspec.Struct, frozen=True, gc=False, tag=True):
    """503: the route is known but must not be served, for a reason that stands in a Problem."""


class NotFound(msgspec.Struct, frozen=True, gc=False, tag=True):
    """404: what is answered where there is no default backend."""


RouteAction = ForwardTo | RedirectTo | RedirectToHost | Unavailable | NotFound


class HeaderTest(Enum):
    """What a canary wants to know of a request header."""

    WORD = "word"
    """`always` goes to the canary, `never` stays, anything else decides nothing."""
    VALUE = "value"
    """The value given goes to the canary."""
    PATTERN = "pattern"
    """What the PCRE finds itself in goes to the canary."""
    PRESENCE = "presence"
    """A request that has the header at all stays."""


class HeaderCondition(msgspec.Struct, frozen=True, gc=False):
    """A test of the request header `name` (lower case); `text` is the value or the pattern that it needs."""

    name: str
    test: HeaderTest
    text: str = ""


class Canary(msgspec.Struct, frozen=True, gc=False):
    """Which requests of a route go to another backend, in the order in which they are decided.

    A session of either side stays there, if both have affinity; then the header, then the cookie (`always` or `never`),
    then chance: `weight` of `total` requests. While `action`'s backend has no endpoints, none does.
    """

    id: RouteId
    origin: NamespacedName
    action: ForwardTo
    header: HeaderCondition | None = None
    cookie: str = ""
    weight: int = 0
    total: int = 100


class Route(msgspec.Struct, frozen=True, gc=False):
    """What a host does with the paths that match. `origin` is the Ingress that it came from.

    `https_redirect` says that, and how, plain HTTP is sent to HTTPS; None if it is not. `response_headers` are set on every
    answer, whoever makes it; their names stand in `Model.response_header_names` too.
    """

    id: RouteId
    match: PathMatch
    action: RouteAction
    origin: NamespacedName
    https_redirect: HttpsRedirect | None = None
    canary: Canary | None = None
    cors: Cors | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    error_pages: ErrorPages | None = None
    snippet: tuple[Step, ...] = ()
    access: Access = OPEN
    limits: Limits | None = None
    body_limit: int | None = None
    """Bytes of a request's body, 0 for any number; None as for all routes."""
    external_auth: ExternalAuth | None = None
    client_tls: ClientTls | None = None
    is_logged: bool = True
    """Whether its requests are in the access log, if there is one."""
    tracing: Tracing | None = None

    @property
    def canary_route(self) -> "Route | None":
        """What is done with the requests that go to the canary: all that is done with the others, save for the backend."""
        canary = self.canary
        if canary is None:
            return None
        return msgspec.structs.replace(self, id=canary.id, origin=canary.origin, action=canary.action, canary=None)


class VirtualHost(msgspec.Struct, frozen=True, gc=False):
    """A host and its routes. With any RegexPath among them all are RegexPath, in the order in which they are tried;
    otherwise their order means nothing and they are sorted by match."""

    host: Hostname
    routes: tuple[Route, ...]
    passthrough: BackendName | None = None
    """Where TLS connections for the host go as they are; None if they end here."""

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """The routes, and those of their canaries."""
        canaries = [canary for route in self.routes if (canary := route.canary_route)]
        return (*self.routes, *canaries) if canaries else self.routes


class Model(msgspec.Struct, frozen=True, gc=False):
    """Everything that the data plane is to do. Virtual hosts are ordered by host, backends and certificates by name.

    `default_backend` answers what no route takes; None means a plain 404. `response_header_names` are the headers that routes
    may set on answers, whether or not one does. `options` hold for the proxy as a whole.
    """

    virtual_hosts: tuple[VirtualHost, ...] = ()
    backends: tuple[Backend, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    default_backend: BackendName | None = None
    response_header_names: tuple[str, ...] = ()
    options: ProxyOptions = ProxyOptions()
    peering: Peering | None = None
    """The replicas that share what they learn; None for one that keeps it to itself."""
    tcp_services: tuple[TcpService, ...] = ()
    upstream_files: tuple[UpstreamFile, ...] = ()
    """What backends name in their `upstream`, ordered by name."""
