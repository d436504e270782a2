"""The maps through which routes and policies reach the running HAProxy, and how keys and values are written in them.

A map file is read line by line: a key, blanks, a value. So a key has no blank and neither has a line end; `encode_path`
takes them out of paths in the same way in which the program takes them out of requests.
"""

import re
from collections.abc import Mapping
from enum import Enum

import msgspec

from remora.core.names import ANY_HOST, Hostname
from remora.haproxy.pool import Slot

ANY_HOST_KEY = "*"
"""Stands for the empty host in keys; a Host header cannot collide with it, since `*` leads there anyway."""

EXACT_END = "//!"
"""What a request's key ends with. A merged path has no `//`, so a key of a prefix ends before it, and one of an exact path
with it; the longest match then prefers Exact to Prefix of the same text."""

_PATTERN_START = "(?i)^"
_BLANK_OR_ESCAPE = re.compile(r"\\?(?P<blank>\s)|\\.", re.ASCII)
"""A blank, escaped or not, or another escape, which is passed over so that a blank behind `\\\\` counts as one."""

DEFAULT_ROUTE_KEY = "!"
"""The entry of `routes` for requests that no route takes; no host begins with it."""


class Map(Enum):
    """The maps, named by their file's stem."""

    ROUTES = "routes"
    """host + path + "/" to a RouteRecord; longest match, case-sensitive."""
    FOLDED_ROUTES = "folded-routes"
    """The same in lower case, for hosts in regular-expression mode whose patterns are all literal prefixes."""
    REGEX_ROUTES = "regex-routes"
    """PCREs over host + path to a RouteRecord; the first match in the file wins."""
    HOSTS = "hosts"
    """host to HostKind: which of the three above knows its paths."""
    REDIRECTS = "redirects"
    """Route id to the Location of its redirect, or to how it redirects to https; see `features.redirect`."""
    COOKIES = "cookies"
    """Route id to what stands in the Set-Cookie of its sessions; see `features.affinity`."""
    REWRITES = "rewrites"
    """Route id to what becomes of the path; see `features.rewrite`."""
    LEARNING = "learning"
    """Route id to where its application names sessions; see `features.learning`."""
    PLACEMENTS = "placements"
    """Route id to where its new sessions go; see `features.placement`."""
    HASHES = "hashes"
    """Route id to what of a request is hashed; see `features.hashing`."""
    CANARIES = "canaries"
    """Route id to what its canary wants; see `features.canary`."""
    CANARY_ROUTES = "canary-routes"
    """Route id to the RouteRecord of its canary."""
    CANARY_PATTERNS = "canary-patterns"
    """PCREs over route id, line end and a header's value."""
    UPSTREAM_HEADERS = "upstream-headers"
    """Route id to headers that its pods are sent; see `features.upstream_headers`."""
    CORS = "cors"
    """Route id to what is allowed to pages of other origins; see `features.cors`."""
    CORS_ORIGINS = "cors-origins"
    """`route id/origin`: which origins are allowed, for a route with a list of them."""
    RESPONSE_HEADERS = "response-headers"
    """`route id/name` to the value of a header that is set on answers; the id alone stands there too."""
    PROXYING = "proxying"
    """Route id to how its requests are sent to pods; see `features.proxying`."""
    MIRRORS = "mirrors"
    """Route id to who gets copies of its requests; see `features.mirror`."""
    SNIPPETS = "snippets"
    """Route id to the steps that its snippets ask for; see `features.snippets`."""
    SNIPPET_HEADERS = "snippet-headers"
    """`route id/name` to the value of a header that a snippet sets on all answers."""
    LIMITS = "limits"
    """Route id to how much one client may ask for; see `features.limits`."""
    LIMIT_EXEMPT = "limit-exempt"
    """`route id/family + digits`: the networks without limits; see `features.access`."""
    BODY_LIMITS = "body-limits"
    """Route id to the bytes of a request's body, where they are other than the program's own."""
    ERROR_PAGES = "error-pages"
    """Route id to who answers for errors, `route id/status` for each that is meant; see `features.error_pages`."""
    ERROR_ROUTES = "error-routes"
    """Route id to the RouteRecord of its default backend."""
    ACCESS = "access"
    """Route id to who may come in; see `features.access`."""
    ALLOWED_ADDRESSES = "allowed-addresses"
    """`route id/family + digits`: the networks that a route allows."""
    DENIED_ADDRESSES = "denied-addresses"
    """The same for those that it denies."""
    EXTERNAL_AUTH = "external-auth"
    """Route id to what another service is asked; see `features.external_auth`."""
    CLIENT_TLS = "client-tls"
    """Route id to what its clients must show; see `features.client_tls`."""
    CLIENT_SUBJECTS = "client-subjects"
    """PCREs over route id, line end and the subject of a client's certificate."""
    CLIENT_AUTHORITIES = "client-authorities"
    """host to what certificates are judged by that clients show to it."""
    AUTH_ROUTES = "auth-routes"
    """Route id to the RouteRecord of that service."""
    PASSWORDS = "passwords"
    """`route id/name in hex` to the hash of a password; see `features.passwords`."""
    TRACING = "tracing"
    """Route id to how its requests are traced; see `features.tracing`."""
    SERVERS = "servers"
    """`slot/server` to the server's state; see `features.affinity`."""
    STREAMS = "streams"
    """A port, or a host whose TLS is passed through, to its slot; see `features.streams`."""
    SLOTS = "slots"
    """Slot to backend name. Never looked up: it tells a controller that finds HAProxy running what serves what."""
    CERTIFICATES = "certificates"
    """Certificate name to the digest of its content. Never looked up; as SLOTS."""
    UPSTREAM_FILES = "upstream-files"
    """The names of the files that HAProxy has loaded for connections to pods. Never looked up; as SLOTS."""

    # By default the name is hashed, in Python: a third of what a look-up of a host's entries costs.
    __hash__ = object.__hash__


ROUTE_TEXTS = (
    Map.REDIRECTS,
    Map.COOKIES,
    Map.REWRITES,
    Map.UPSTREAM_HEADERS,
    Map.CORS_ORIGINS,
    Map.CORS,
    Map.RESPONSE_HEADERS,
    Map.SNIPPET_HEADERS,
    Map.SNIPPETS,
    Map.PROXYING,
    Map.MIRRORS,
    Map.LEARNING,
    Map.PLACEMENTS,
    Map.HASHES,
    Map.LIMIT_EXEMPT,
    Map.LIMITS,
    Map.BODY_LIMITS,
    Map.ERROR_PAGES,
    Map.CANARY_PATTERNS,
    Map.CANARIES,
    Map.PASSWORDS,
    Map.DENIED_ADDRESSES,
    Map.ALLOWED_ADDRESSES,
    Map.ACCESS,
    Map.EXTERNAL_AUTH,
    Map.CLIENT_SUBJECTS,
    Map.CLIENT_TLS,
    Map.TRACING,
)
"""What policies of routes say, as plain text; their keys begin with the route's id, a slash behind it if there is more (but
for CANARY_PATTERNS, which are expressions). In the order in which they are written."""


class HostKind(Enum):
    """How the paths of a host are matched."""

    PLAIN = "plain"
    FOLDED = "folded"
    REGEX = "regex"
    REPEATING = "repeating"
    """As REGEX, with a pattern that repeats a group. PCRE gives up on such a one when the path is long, and HAProxy would go on
    with the next pattern, past the guards of the route that is meant; so long paths are refused."""


class RouteRecord(msgspec.Struct, frozen=True):
    """What the program learns about a request from its route, in one look-up.

    `over_tls` and `over_http` name the backend for a request that came by HTTPS and by HTTP; they differ where HTTP is sent
    to HTTPS. `cookie_name` is "" without affinity; `reads_agent` says that its Set-Cookie depends on the User-Agent;
    `has_canary` that the record of a canary may take its place. No text among them holds a `|`.
    """

    over_tls: str
    over_http: str
    route: str
    cookie_name: str = ""
    reads_agent: bool = False
    has_canary: bool = False


CANARY_MARK, AGENT_MARK = "?", "a"
"""What the record begins with of a route with a canary, and then of one whose Set-Cookie depends on the User-Agent."""

RECORD_ROUTE, RECORD_COOKIE, RECORD_OVER_TLS, RECORD_OVER_HTTP = 2, 3, -2, -1
"""Which fields of a record have what, for the converter `field`: it looks at every byte up to the field's end, so what each
request asks for stands near one of the ends."""


def encode_record(record: RouteRecord, slots: Mapping[str, Slot]) -> str:
    """The record as a map's value, with the slots that serve its backends.

    A name that is in no slot is one that the program declares itself, and stands as it is.
    """
    over_tls = slots.get(record.over_tls, record.over_tls)
    over_http = slots.get(record.over_http, record.over_http)
    marks = CANARY_MARK * record.has_canary + AGENT_MARK * record.reads_agent
    return f"{marks}|{record.route}|{record.cookie_name}|{over_tls}|{over_http}"


def fixed_record(backend: str, route: str = "") -> str:
    """A record as the program writes it itself: of a backend that it declares, whatever the scheme."""
    return f"|{route}||{backend}|{backend}"


_UNSAFE_IN_KEY = re.compile(r"[\x00-\x20%?\x7f]")


def encode_path(path: str) -> str:
    """The path as it stands in keys: `%`, `?`, blanks and control characters percent-encoded.

    `path` is decoded (RFC 3986 section 2.1) and has no repeated slashes.
    """
    return _UNSAFE_IN_KEY.sub(lambda match: f"%{ord(match[0]):02X}", path)


def exact_key(host: str, path: str) -> str:
    """The key of an exact path."""
    return f"{host or ANY_HOST_KEY}{encode_path(path)}{EXACT_END}"


def prefix_key(host: str, path: str) -> str:
    """The key of a prefix without a slash at its end."""
    return f"{host or ANY_HOST_KEY}{encode_path(path)}/"


def regex_key(host: str, pattern: str) -> str:
    """A PCRE over host + decoded path for a pattern that is anchored at the path's start, without regard to case."""
    spaceless = _BLANK_OR_ESCAPE.sub(_without_blank, pattern)
    return f"{_PATTERN_START}{re.escape(host or ANY_HOST_KEY)}(?:{spaceless.removeprefix('^')})"


def _without_blank(found: re.Match[str]) -> str:
    return f"\\x{ord(found['blank']):02x}" if found["blank"] else found[0]


def host_of_key(key: str) -> Hostname:
    """The host that a key of `routes` or `folded-routes` begins with."""
    host = key.partition("/")[0]
    return ANY_HOST if host == ANY_HOST_KEY else Hostname(host)


def host_of_pattern(pattern: str) -> Hostname:
    """The host that a key of `regex-routes` begins with."""
    escaped = pattern.removeprefix(_PATTERN_START).partition("(?:")[0]
    host = re.sub(r"\\(.)", r"\1", escaped)
    return ANY_HOST if host == ANY_HOST_KEY else Hostname(host)
