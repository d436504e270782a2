"""The ring of consistent hashing, as HAProxy 2.8 computes it for `balance hash` with `hash-type consistent`. Pure.

Each server has `weight * 16` points, hashes of its id and the point's number; a key belongs to the server whose point is
nearest to the key's hash, on either side. A test holds this to the real HAProxy.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from remora.haproxy.configuration import WEIGHT, Server
from remora.haproxy.grammar import address_and_port

_MASK = 0xFFFFFFFF
_POINTS = WEIGHT * 16
_RANGE = 4096
"""How far the point numbers of two servers are apart: the highest weight, 256, times 16."""
_FORMER_POINTS = 160


Points = list[tuple[int, str, Server]]


def ring_owner(servers: Iterable[Server], key: str) -> Server | None:
    """The server of a key; None if none takes new sessions."""
    return owner_on(ring_points(servers), key)


def ring_points(servers: Iterable[Server]) -> Points:
    """The ring of these servers, in order. Draining servers are not on it."""
    return sorted(
        (_mixed(server.id * _RANGE + number), server.name, server)
        for server in servers
        if not server.draining
        for number in range(_POINTS)
    )


def owner_on(points: Points, key: str) -> Server | None:
    """The server of a key on a ring; None if that is empty."""
    if not points:
        return None
    wanted = _mixed(_sdbm(key.encode("utf-8", "surrogateescape")))
    place = bisect_left(points, (wanted,))
    after, before = points[place % len(points)], points[place - 1]
    is_before_nearer = (wanted - before[0]) & _MASK <= (after[0] - wanted) & _MASK
    return before[2] if is_before_nearer else after[2]


def _sdbm(text: bytes) -> int:
    """The hash function `sdbm`, which is HAProxy's default."""
    value = 0
    for byte in text:
        value = (byte + (value << 6) + (value << 16) - value) & _MASK
    return value


def _mixed(value: int) -> int:
    """Bob Jenkins' full avalanche of 32 bits, times a prime, as HAProxy spreads points and keys."""
    value = (value + 0x7ED55D16 + (value << 12)) & _MASK
    value = (value ^ 0xC761C23C) ^ ((value & _MASK) >> 19)
    value = (value + 0x165667B1 + (value << 5)) & _MASK
    value = ((value + 0xD3A2646C) & _MASK) ^ ((value << 9) & _MASK)
    value = (value + 0xFD7046C5 + (value << 3)) & _MASK
    value = (value ^ 0xB55A4F09) ^ (value >> 16)
    return (value * 3221225473) & _MASK


def former_owner(servers: Iterable[Server], key: str) -> Server | None:
    """The server to which ingress-nginx led a key in balanced mode: nginx's ring of 160 CRC-32 points over "ip:port"."""
    points = sorted(
        (point, server.name, server) for server in servers if not server.draining for point in _former_points(server)
    )
    if not points:
        return None
    place = bisect_left(points, (zlib.crc32(key.encode("utf-8", "surrogateescape")),))
    return points[place % len(points)][2]


def _former_points(server: Server) -> Iterator[int]:
    start = zlib.crc32(address_and_port(server.address, server.port).encode())
    point = zlib.crc32(b"\0\0\0\0", start)
    for _ in range(_FORMER_POINTS):
        yield point
        point = zlib.crc32(point.to_bytes(4, "little"), start)
