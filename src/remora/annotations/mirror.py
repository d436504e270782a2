"""Mirroring of requests (behaviour reference, part B, section 7)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import Risk, Support, annotation
from remora.annotations.values import ValueRefused, choice, shown, trimmed

VARIABLES = ("request_uri", "host")
_TARGET = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?([/?$][A-Za-z0-9\-._~/:,?&=$]*)?")


def mirror_target(text: str) -> str:
    """An absolute URL whose path may have variables; "" for `off`."""
    value = trimmed(text)
    if value == "off":
        return ""
    for name in re.findall(r"\$([A-Za-z_0-9]*)", value):
        if name not in VARIABLES:
            raise ValueRefused(f"{shown(value)} has the variable ${name}; known are $request_uri and $host")
    if not _TARGET.fullmatch(value):
        raise ValueRefused(f"{shown(value)} is not a URL such as http://mirror.example$request_uri")
    return value


def mirror_host(text: str) -> str:
    """A host, with or without a port, or the request's: `$host`."""
    value = trimmed(text)
    if value != "$host" and not re.fullmatch(r"[A-Za-z0-9.\-_:\[\]]+", value):
        raise ValueRefused(f"{shown(value)} is neither a host nor $host")
    return value


@dataclass(frozen=True, slots=True)
class Mirror:
    """Who gets a copy of every request."""

    target: str = annotation(
        "mirror-target",
        mirror_target,
        default="",
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="Copies are sent of GET, HEAD, POST, PUT and DELETE, and not of requests whose body has more than 14 kB or no "
        "Content-Length; at most 200 are under way at a time, the others are left out. Without a path in the URL the copy has "
        "the request's. Of nginx's variables it knows `$request_uri` and `$host`, behind the host.",
        doc="The URL that gets a copy of every request that was not refused.",
        accepts=("http://mirror.example$request_uri", "https://mirror.example:8443/", "http://10.0.0.1/x?from=$host", "off"),
        refuses=(
            "enabled",
            "http://$host/",
            "http://mirror.example/$uri",
            "ftp://mirror.example",
            "http://a/|b",
            "http://a/\nb",
        ),
        haproxy=("http-request lua",),
    )
    request_body: str = annotation(
        "mirror-request-body",
        choice("on", "off"),
        default="on",
        doc="Whether the copy has the body.",
        accepts=("on", "off"),
        refuses=("true", ""),
    )
    host: str = annotation(
        "mirror-host",
        mirror_host,
        default="",
        risk=Risk.HIGH,
        support=Support.PARTIAL,
        differs="Of nginx's variables it knows `$host`.",
        doc="The Host header of the copy; that of the target where nothing is said.",
        accepts=("mirror.example", "$host", "mirror.example:8080"),
        refuses=("a b", "$http_host", "a|b"),
    )
