"""Sessions that the application names itself."""

from enum import Enum

import msgspec


class NamedIn(Enum):
    """Which part of requests and answers has the session's name."""

    COOKIE = "cookie"
    """A cookie that the endpoint sets."""
    HEADER = "header"
    """A header, of the same name in answers and requests."""
    QUERY = "query"
    """An argument of the query; in answers one of the Location's query, or a header of that name."""
    PATH = "path"
    """A parameter of the path (`;name=`); in answers one of the Location's path, or a header of that name."""


class Learning(msgspec.Struct, frozen=True, gc=False):
    """How a route learns which endpoint has a session.

    `name` is that of the cookie, header (lower case), argument or parameter. `scope` is lower-case hex, the same on every
    replica: routes of the same scope share what they learn.
    """

    named_in: NamedIn
    name: str
    scope: str
