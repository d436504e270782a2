"""What a snippet of nginx configuration asks for, step by step. No text in it is configuration of anything."""

from enum import Enum

import msgspec

from remora.model.patterns import Pattern


class Source(Enum):
    """Where a piece of a value comes from; the names are those of nginx's variables."""

    TEXT = "text"
    """The piece's name itself."""
    VARIABLE = "variable"
    """A variable that an earlier step sets; nothing, if none did."""
    GROUP = "group"
    """What a group of the last pattern that matched took."""
    HEADER = "header"
    """A request header."""
    ARGUMENT = "argument"
    COOKIE = "cookie"
    AUTH_HEADER = "auth header"
    """A header of the answer of the route's external authentication."""
    ANSWER_HEADER = "answer header"
    HOST = "host"
    """In lower case, without a port."""
    REMOTE_ADDRESS = "remote_addr"
    FORWARDED_FOR = "proxy_add_x_forwarded_for"
    SCHEME = "scheme"
    REQUEST_URI = "request_uri"
    """Path and query as the client wrote them."""
    URI = "uri"
    """The path, decoded."""
    ARGUMENTS = "args"
    QUESTION_MARK = "is_args"
    METHOD = "request_method"
    REQUEST_ID = "request_id"
    PROTOCOL = "server_protocol"
    SERVER_PORT = "server_port"
    STATUS = "status"


class Piece(msgspec.Struct, frozen=True, gc=False):
    """A piece of a value. `name` is the text, the header, the variable or the group's number."""

    source: Source
    name: str = ""


Value = tuple[Piece, ...]


class Comparison(Enum):
    """How a condition looks at its value."""

    EQUALS = "="
    MATCHES = "~"
    IS_SET = ""
    """Neither empty nor `0`."""


class Condition(msgspec.Struct, frozen=True, gc=False):
    """Whether a value is equal to another, matches a pattern, or is set at all."""

    value: Value
    comparison: Comparison
    other: Value = ()
    pattern: Pattern | None = None
    is_negated: bool = False


class SetVariable(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A variable of the request, for later steps."""

    name: str
    value: Value


class When(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Steps for the requests that meet a condition."""

    condition: Condition
    steps: tuple["Step", ...]


class Answer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The request is answered at once. `text` is the Location of a redirect, else the body.

    444 ends the connection without an answer.
    """

    status: int
    text: Value = ()
    media_type: str = "text/html"


class ChangePath(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The path that a pattern matches is replaced, or the client is sent to the new one if `status` is 301 or 302.

    The query is kept behind that of `target`, unless `drops_query`. `ends` says that no further steps run.
    """

    pattern: Pattern
    target: Value
    status: int = 0
    drops_query: bool = False
    ends: bool = False


class Stop(msgspec.Struct, frozen=True, gc=False, tag=True):
    """No further steps run."""


class HeaderChange(Enum):
    """What becomes of a header."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"
    """All whose names are the name, which may end with `*`."""


class RequestHeader(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A header that pods are sent. An empty value removes it. One `only_if_sent` is not put where the client sent none."""

    change: HeaderChange
    name: str
    value: Value = ()
    only_if_sent: bool = False


class AnswerHeader(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A header of answers: of all, or of those with one of the statuses and one of the types."""

    change: HeaderChange
    name: str
    value: Value = ()
    statuses: tuple[int, ...] = ()
    types: tuple[str, ...] = ()


class AddressRule(msgspec.Struct, frozen=True, gc=False):
    """Whether clients of a network come in; "" is every network."""

    allows: bool
    network: str = ""


class AddressRules(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The first rule that fits a client decides; one that none fits comes in. Others get 403."""

    rules: tuple[AddressRule, ...]


class LocationKind(Enum):
    """How a location is compared with the path, decoded."""

    EXACT = "="
    PREFIX = ""
    PATTERN = "~"


class Location(msgspec.Struct, frozen=True, gc=False):
    """Steps for some paths."""

    kind: LocationKind
    path: str
    steps: tuple["Step", ...]
    pattern: Pattern | None = None


class Locate(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The steps of the first location that takes the path run, and none of those that follow in the list around."""

    locations: tuple[Location, ...]


Step = SetVariable | When | Answer | ChangePath | Stop | RequestHeader | AnswerHeader | AddressRules | Locate
