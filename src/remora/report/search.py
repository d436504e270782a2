"""Which route takes a request: what `haproxy.program` does with Host and path, as a function of the Model. Pure.

It looks up the very keys that HAProxy is given, in the order of the program's phases, over bytes as HAProxy does. A test holds
it to the real HAProxy on random hosts and paths.
"""

import re
import warnings
from enum import Enum
from functools import lru_cache

import msgspec

from remora.core.names import ANY_HOST, Hostname
from remora.haproxy.fixed_backends import HEALTHZ_BACKEND
from remora.haproxy.hosts import NOTHING, HostPart, configure_host, fixed_part
from remora.haproxy.maps import ANY_HOST_KEY, DEFAULT_ROUTE_KEY, EXACT_END, HostKind, Map, RouteRecord
from remora.model import Model, Route, VirtualHost


class Taker(Enum):
    """Who answers a request."""

    ROUTE = "route"
    DEFAULT_BACKEND = "default backend"
    HEALTHZ = "healthz"
    NOT_FOUND = "not found"
    REFUSED = "refused"


class Found(msgspec.Struct, frozen=True):
    """Who answers a request, and how it was compared.

    `host` and `path` are as they were looked up; `virtual_host` is the one whose routes were tried, None without any.
    `undecided` are patterns that were tried before and that only HAProxy's own library understands.
    """

    taker: Taker
    host: str
    path: str
    virtual_host: VirtualHost | None = None
    route: Route | None = None
    undecided: tuple[str, ...] = ()
    reason: str = ""


_SENDABLE = re.compile(r"/[!-~]*")
_ODD = re.compile(rb"%|//|/\.")
_ESCAPE = re.compile(rb"%(.{0,2})", re.DOTALL)
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def find_route(model: Model, host: str, path: str) -> Found:
    """Who answers a request with that Host header and that path, both as they were sent; the path is without a query."""
    if "/" in host or "," in host:
        return Found(Taker.REFUSED, host, path, reason="a Host header with a slash or a comma is answered with 400")
    if not _SENDABLE.fullmatch(path):
        return Found(Taker.REFUSED, host, path, reason="a path with blanks, control characters or others than ASCII is a 400")
    return _Search(model).find(_bytes(host), _bytes(path))


class _Search:
    """One look at one Model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hosts = {host.host: host for host in model.virtual_hosts}

    def find(self, host: bytes, path: bytes) -> Found:
        is_odd = bool(_ODD.search(path))
        if not is_odd:
            record = self._longest(host, path)
            if record is not None:
                return self._found(record, Found(Taker.ROUTE, _text(host), _text(path), self._virtual_host(host)))
        host = compared_host(host)
        decoded = path
        if is_odd:
            unescaped = decode(path)
            if unescaped is None or _CONTROL.search(unescaped):
                reason = "a path with a broken % sequence or a control character is answered with 400"
                return Found(Taker.REFUSED, _text(host), _text(path), reason=reason)
            decoded = normalise(unescaped)
        return self._find_by_host(host, decoded)

    def _find_by_host(self, host: bytes, path: bytes) -> Found:
        for name in (host, re.sub(rb"^[^.]+", b"*", host), ANY_HOST_KEY.encode()):
            part = self._part(name)
            kind = part.texts.get(Map.HOSTS, {}).get(_text(name))
            if kind is not None:
                break
        found = Found(Taker.ROUTE, _text(host), _text(path), self._virtual_host(name))
        record, undecided = self._look_up(kind, name, path)
        if record is not None:
            return self._found(record, msgspec.structs.replace(found, undecided=undecided))
        taker = Taker.DEFAULT_BACKEND if self._model.default_backend else Taker.NOT_FOUND
        return msgspec.structs.replace(found, taker=taker, undecided=undecided)

    def _look_up(self, kind: str | None, name: bytes, path: bytes) -> tuple[RouteRecord | None, tuple[str, ...]]:
        if kind in (HostKind.REGEX.value, HostKind.REPEATING.value):
            return _first(self._part(name), name + path)
        encoded = path.replace(b"%", b"%25").replace(b"?", b"%3F").replace(b" ", b"%20")
        if kind == HostKind.FOLDED.value:
            keys = {_bytes(key): record for key, record in self._part(name).folded_routes.items()}
            return _longest(keys, (name + encoded + b"/").lower()), ()
        return self._longest(name, encoded), ()

    def _longest(self, name: bytes, path: bytes) -> RouteRecord | None:
        """The longest match in the map `routes`; every key but the default's begins with its host and a slash."""
        keys = {_bytes(key): record for key, record in self._part(name).routes.items() if key != DEFAULT_ROUTE_KEY}
        return _longest(keys, name + path + EXACT_END.encode())

    def _part(self, name: bytes) -> HostPart:
        """The map entries of a host, as it stands in keys."""
        host = Hostname("" if _text(name) == ANY_HOST_KEY else _text(name))
        part = _part_of(self._hosts[host]) if host in self._hosts else NOTHING
        if host != ANY_HOST:
            return part
        fixed = fixed_part(part, None)
        return HostPart(
            routes={**part.routes, **fixed.routes},
            folded_routes=part.folded_routes,
            regex_routes=part.regex_routes,
            texts={**part.texts, **fixed.texts},
        )

    def _virtual_host(self, name: bytes) -> VirtualHost | None:
        return self._hosts.get(Hostname("" if _text(name) == ANY_HOST_KEY else _text(name)))

    def _found(self, record: RouteRecord, found: Found) -> Found:
        if record.over_tls == HEALTHZ_BACKEND:
            return msgspec.structs.replace(found, taker=Taker.HEALTHZ)
        routes = found.virtual_host.routes if found.virtual_host else ()
        return msgspec.structs.replace(found, route=next(route for route in routes if route.id == record.route))


@lru_cache(maxsize=1024)
def _part_of(host: VirtualHost) -> HostPart:
    return configure_host(host)


def _longest(keys: dict[bytes, RouteRecord], text: bytes) -> RouteRecord | None:
    """`map_beg`: the value of the longest key with which the text begins."""
    matches = [key for key in keys if text.startswith(key)]
    return keys[max(matches, key=len)] if matches else None


def _first(part: HostPart, text: bytes) -> tuple[RouteRecord | None, tuple[str, ...]]:
    """`map_reg`: the value of the first pattern that is found in the text, and the patterns before it that were not tried."""
    undecided = []
    for pattern, record in part.regex_routes:
        found = compiled(pattern)
        if found is None:
            undecided.append(pattern)
        elif found.search(text):
            return record, tuple(undecided)
    return None, tuple(undecided)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[bytes] | None:
    """The pattern over bytes; None if only PCRE understands it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(_bytes(pattern))
    except (re.error, OverflowError, RecursionError):
        return None


def compared_host(host: bytes) -> bytes:
    """The Host header as hosts are compared: without what stands behind its last colon, in lower case, without dots at its
    end. A colon inside of brackets belongs to an IPv6 address."""
    return re.sub(rb":[^]:]*\Z", b"", host).lower().rstrip(b".")


def decode(path: bytes) -> bytes | None:
    """The path without percent-encoding (RFC 3986 section 2.1); None if a sequence is broken."""
    for found in _ESCAPE.finditer(path):
        if not _HEX.fullmatch(found[1]):
            return None
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), path)


def normalise(path: bytes) -> bytes:
    """A decoded path with slashes merged and dots resolved."""
    merged = re.sub(rb"/+", b"/", path)
    kept: list[bytes] = []
    segments = merged.split(b"/")[1:]
    for number, segment in enumerate(segments):
        if segment == b"..":
            del kept[-1:]
        elif segment != b".":
            kept.append(segment)
        if segment in (b".", b"..") and number == len(segments) - 1:
            kept.append(b"")
    return b"/" + b"/".join(kept)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
