"""Copies of requests to somebody whose answers do not matter.

A copy is sent by a Lua task of its own; the request waits for its own body at most, and that only where its length is known
and small enough for HAProxy's buffer.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule
from remora.model import Mirror

_WITH_BODY, _WITHOUT_BODY = "body", "bare"
_LARGEST = 14336
"""Bytes of a body. A buffer has 16384, of which the headers need some."""

_IS_MIRRORED = "{ var(txn.mirror) -m found }"


def request_rules(mirrors_map: str) -> Iterator[Directive]:
    """The last of what guards a route: who was refused is not mirrored."""
    yield rule("http-request set-var(txn.mirror)", f"var(txn.route),map_str({mirrors_map})")
    has_body = "{ req.hdr(content-length) -m int gt 0 }"
    is_small = f"{{ req.hdr(content-length) -m int le {_LARGEST} }}"
    wants_body = f"{{ var(txn.mirror) -m beg {_WITH_BODY} }}"
    # A client that stops sending has `timeout client`; this one would answer it with 408 while it still sends.
    yield rule("http-request wait-for-body time 24h", when=f"{_IS_MIRRORED} {wants_body} {has_body} {is_small}")
    yield rule("http-request lua.mirror", when=_IS_MIRRORED)


def mirror_entry(mirror: Mirror) -> str:
    """The value of the map `mirrors`: with which body, the Host, the URL; by `|`.

    Raises:
        ValueError: a text holds what would end a field or a header.
    """
    for text in (mirror.host, mirror.url):
        if "|" in text or not text.isprintable() or " " in text:
            raise ValueError(f"{text!r} cannot stand in a request")
    return "|".join((_WITH_BODY if mirror.with_body else _WITHOUT_BODY, mirror.host, mirror.url))
