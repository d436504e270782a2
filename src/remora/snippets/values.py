"""Values with variables in them, as nginx writes them, to pieces."""

import re
from collections.abc import Mapping

from remora.model.snippets import Piece, Source, Value

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([1-9])|([A-Za-z_][A-Za-z0-9_]*))")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_NAMED = {
    **{one.value: one for one in Source if one.value.isidentifier() and one not in (
        Source.TEXT, Source.VARIABLE, Source.GROUP, Source.HEADER, Source.ARGUMENT, Source.COOKIE)},
    "server_name": Source.HOST,
    "req_id": Source.REQUEST_ID,
    "query_string": Source.ARGUMENTS,
    "document_uri": Source.URI,
    "realip_remote_addr": Source.REMOTE_ADDRESS,
    "the_real_ip": Source.REMOTE_ADDRESS,
    "best_http_forwarded_for": Source.FORWARDED_FOR,
}  # fmt: skip
_HEADERS = {
    "http_host": "host",
    "best_http_host": "host",
    "ssl_client_verify": "ssl-client-verify",
    "ssl_client_s_dn": "ssl-client-subject-dn",
    "ssl_client_i_dn": "ssl-client-issuer-dn",
    "ssl_client_escaped_cert": "ssl-client-cert",
    "connection_upgrade": "connection",
    "pass_access_scheme": "x-forwarded-proto",
    "pass_server_port": "x-forwarded-port",
    "pass_port": "x-forwarded-port",
}
"""Variables that stand in a request's headers when it comes to a pod."""
_PREFIXES = {
    "http_": Source.HEADER,
    "arg_": Source.ARGUMENT,
    "cookie_": Source.COOKIE,
    "upstream_http_": Source.AUTH_HEADER,
    "sent_http_": Source.ANSWER_HEADER,
}


class ValueUnknown(Exception):
    """A value with a variable that is not known here."""


def parse_value(text: str, *, constants: Mapping[str, str], own: frozenset[str], of_answer: bool = False) -> Value:
    """The pieces of a value. `constants` are what variables always are here, `own` the variables that the snippet sets;
    `of_answer` says that the headers of an upstream are those of the answer.

    Raises:
        ValueUnknown: a variable is not known, or a control character stands in the text.
    """
    if _CONTROL.search(text):
        raise ValueUnknown("a control character in a value")
    pieces: list[Piece] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        pieces.append(Piece(Source.TEXT, text[at : found.start()]))
        at = found.end()
        name = found[1] or found[2] or found[3]
        pieces.append(_piece(name.lower(), constants=constants, own=own, of_answer=of_answer))
    pieces.append(Piece(Source.TEXT, text[at:]))
    return _merged(pieces)


def _piece(name: str, *, constants: Mapping[str, str], own: frozenset[str], of_answer: bool) -> Piece:
    if name.isdigit():
        return Piece(Source.GROUP, name)
    if name in own:
        return Piece(Source.VARIABLE, name)
    if name in constants:
        return Piece(Source.TEXT, constants[name])
    if name in _HEADERS:
        return Piece(Source.HEADER, _HEADERS[name])
    return Piece(_NAMED[name]) if name in _NAMED else _of_family(name, of_answer=of_answer)


def _of_family(name: str, *, of_answer: bool) -> Piece:
    for prefix, source in _PREFIXES.items():
        rest = name.removeprefix(prefix)
        if not rest or rest == name:
            continue
        if source in (Source.ARGUMENT, Source.COOKIE):
            return Piece(source, rest)
        is_of_pod = source is Source.AUTH_HEADER and of_answer
        return Piece(Source.ANSWER_HEADER if is_of_pod else source, rest.replace("_", "-"))
    raise ValueUnknown(f"the variable ${name} is not known here")


def _merged(pieces: list[Piece]) -> Value:
    """The pieces without empty texts, neighbouring ones in one."""
    found: list[Piece] = []
    for piece in pieces:
        if found and piece.source is found[-1].source is Source.TEXT:
            found[-1] = Piece(Source.TEXT, found[-1].name + piece.name)
        elif piece.source is not Source.TEXT or piece.name:
            found.append(piece)
    return tuple(found)


def is_constant(value: Value) -> bool:
    """Whether a value is the same for every request."""
    return all(piece.source is Source.TEXT for piece in value)


def constant_text(value: Value) -> str:
    """The text of a constant value."""
    return "".join(piece.name for piece in value)
