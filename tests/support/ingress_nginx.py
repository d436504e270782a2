"""How ingress-nginx places sessions, written from its description: the stand-in that our answers are compared with."""

import hashlib
import zlib
from bisect import bisect_left

POINTS = 160


def persistent_key(backend: str, node: str) -> str:
    """The cookie's key for a pod in persistent mode."""
    return hashlib.md5((backend + node).encode()).hexdigest()


def backend_key(backend: str) -> str:
    """The second part of the cookie."""
    inner = hashlib.md5(backend.encode()).hexdigest()
    return hashlib.md5((inner + backend).encode()).hexdigest()


class Ring:
    """nginx's consistent hash over `ip:port` texts, every pod with weight 1."""

    def __init__(self, *nodes: str) -> None:
        points = []
        for node in nodes:
            start = zlib.crc32(node.encode())
            point = zlib.crc32(b"\0\0\0\0", start)
            for _ in range(POINTS):
                points.append((point, node))
                point = zlib.crc32(point.to_bytes(4, "little"), start)
        self.points = sorted(points)

    def owner(self, key: str) -> str:
        """The pod of a key in balanced mode."""
        position = bisect_left(self.points, (zlib.crc32(key.encode()), ""))
        return self.points[position % len(self.points)][1]
