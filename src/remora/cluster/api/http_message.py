"""A request as handlers see it and a response as they give it, with the little that every handler needs."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import yaml

from remora.cluster.api.errors import Object, bad_request, invalid_options, unsupported
from remora.cluster.api.negotiation import JSON, YAML
from remora.cluster.api.streams.connection import Session
from remora.cluster.api.tokens import Identity

MOST_BODY = 3 * 1024 * 1024
"""Bytes; Kubernetes' limit on what a client may send."""

_TRUE = frozenset({"true", "1", "t", "T", "TRUE", "True"})
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Header names are in lower case; of a repeated query parameter the first counts, as in Kubernetes."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    identity: Identity
    query_string: str = ""

    def every(self, name: str) -> list[str]:
        """All values of a query parameter that may be repeated."""
        return [value for key, value in parse_qsl(self.query_string, keep_blank_values=True) if key == name]

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def is_set(self, name: str) -> bool:
        """Whether a boolean parameter is given and true."""
        return is_true(self.query.get(name, ""))

    def integer(self, name: str) -> int | None:
        """A whole number, None if it is not given.

        Raises:
            ApiError: BadRequest; it is none.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    def dry_run(self, options: str) -> bool:
        """Whether `dryRun` asks to store nothing; `options` is the kind of the options, for the message.

        Raises:
            ApiError: Invalid; the only known value is `All`.
        """
        text = self.query.get("dryRun", "")
        if text not in ("", "All"):
            raise invalid_options(options, unsupported("dryRun", [text], ["All"]))
        return text == "All"


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is everything, or pieces as they come; with a `session` the connection changes its protocol instead."""

    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | AsyncIterator[bytes] = b""
    session: Session | None = None


def is_true(text: str) -> bool:
    """What a boolean parameter says."""
    return text in _TRUE


def parse_query(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(key, value)
    return found


def text_response(text: str, status: int = 200) -> Response:
    return Response(status=status, content_type="text/plain; charset=utf-8", body=text.encode())


def object_response(obj: Object, *, media: str = JSON, status: int = 200, warnings: Iterable[str] = ()) -> Response:
    headers = tuple(("warning", render_warning(text)) for text in warnings)
    return Response(status=status, content_type=media, headers=headers, body=encode(obj, media))


def encode(obj: Object, media: str) -> bytes:
    if media == YAML:
        return yaml.dump(obj, Dumper=_Dumper, sort_keys=True, allow_unicode=True).encode()
    return msgspec.json.encode(obj) + b"\n"


def render_warning(text: str) -> str:
    """A Warning header's value (RFC 7234, section 5.5; 299 as Kubernetes uses it)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{escaped}"'
