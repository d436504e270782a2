"""Texts with nginx's variables, read into pieces: text, a variable, text, a variable, and so on.

A variable that is not known here is refused, since a text without what it stands for would mean something else.
"""

import re
from collections.abc import Callable

from remora.annotations.values import ValueRefused, shown, trimmed

Pieces = tuple[str, ...]
"""It begins and ends with text; () is the empty text."""

_KNOWN = {
    "host": "host",
    "server_name": "host",
    "http_host": "http_host",
    "best_http_host": "http_host",
    "scheme": "scheme",
    "pass_access_scheme": "told_scheme",
    "pass_server_port": "told_port",
    "server_port": "told_port",
    "request_method": "request_method",
    "request_uri": "request_uri",
    "escaped_request_uri": "escaped_request_uri",
    "uri": "uri",
    "document_uri": "uri",
    "args": "args",
    "query_string": "args",
    "is_args": "is_args",
    "remote_addr": "remote_addr",
    "the_real_ip": "remote_addr",
    "remote_user": "remote_user",
    "request_id": "request_id",
    "req_id": "request_id",
    "proxy_add_x_forwarded_for": "forwarded_for",
    "namespace": "namespace",
    "ingress_name": "ingress_name",
    "service_name": "service_name",
    "service_port": "service_port",
}
"""nginx's variables, and what they are called in pieces."""

OBJECT_NAMES = frozenset(("namespace", "ingress_name", "service_name", "service_port"))
"""Variables that are known before any request."""

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_FAMILY = re.compile("(http|cookie|arg)_([A-Za-z0-9_]{1,100})")


def template(characters: str, what: str) -> Callable[[str], Pieces]:
    """Text of the characters, a class of a regular expression, with variables in it."""

    def parse(text: str) -> Pieces:
        value = trimmed(text)
        pieces = tuple(_pieces(value))
        for literal in pieces[::2]:
            if not re.fullmatch(f"[{characters}]*", literal):
                raise ValueRefused(f"{shown(value)} is not {what} with variables of nginx")
        return pieces

    return parse


def _pieces(value: str) -> list[str]:
    pieces, start = [], 0
    for found in _VARIABLE.finditer(value):
        pieces += [value[start : found.start()], _variable(found[1] or found[2], value)]
        start = found.end()
    return [*pieces, value[start:]]


def _variable(name: str, value: str) -> str:
    family = _FAMILY.fullmatch(name)
    if family and name != "http_host":
        kind, wanted = family.groups()
        return f"http:{wanted.lower().replace('_', '-')}" if kind == "http" else f"{kind}:{wanted}"
    known = _KNOWN.get(name)
    if known is None:
        names = ", ".join(f"${one}" for one in (*_KNOWN, "http_NAME", "cookie_NAME", "arg_NAME"))
        raise ValueRefused(f"{shown(value)} has the variable ${name}; known are {names}")
    return known
