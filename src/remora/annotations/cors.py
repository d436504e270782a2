"""Cross-origin resource sharing (behaviour reference, part A, section 9)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from remora.annotations.declare import Risk, annotation
from remora.annotations.values import ValueRefused, boolean, integer, shown, trimmed

_ORIGIN = r"(?:(?:[a-z]+://)?(?:\*\.)?[A-Za-z0-9.-]*(?::[0-9]+)?|\*)"
_ORIGINS = re.compile(f"{_ORIGIN}(?:,{_ORIGIN})*")


def origins(text: str) -> tuple[str, ...]:
    """Origins between commas, in lower case: `scheme://host[:port]`, `scheme://*.host[:port]`, `null` or `*`.

    Other items of letters, digits, dots and dashes are taken and mean nothing, as in ingress-nginx: they are left out.
    """
    value = re.sub(r"\s", "", trimmed(text))
    if not _ORIGINS.fullmatch(value):
        raise ValueRefused(f"{shown(value)} is not a list of origins such as https://example.com or https://*.example.com:8443")
    items = value.lower().split(",")
    return tuple(dict.fromkeys(item for item in items if item in ("*", "null") or re.match("[a-z]+://.", item)))


def _words(pattern: str, what: str) -> Callable[[str], str]:
    """Words between commas on one line, as they are to stand in a header."""

    def parse(text: str) -> str:
        value = " ".join(trimmed(text).split())
        if not re.fullmatch(pattern, value):
            raise ValueRefused(f"{shown(value)} is not a list of {what}")
        return value

    return parse


@dataclass(frozen=True, slots=True)
class Cors:
    """What browsers may do from pages of other origins."""

    enabled: bool = annotation(
        "enable-cors",
        boolean,
        default=False,
        doc="`true` answers preflight requests and adds the CORS headers to every answer.",
        accepts=("true", "false"),
        refuses=("yes", ""),
        haproxy=("http-request return", "http-after-response set-header"),
    )
    allow_origin: tuple[str, ...] = annotation(
        "cors-allow-origin",
        origins,
        default=("*",),
        risk=Risk.MEDIUM,
        doc="The origins that are allowed, between commas: `https://host[:port]`, `https://*.host[:port]` for one label, "
        "`null`, or `*` for all.",
        accepts=("*", "https://a.example, https://*.b.example:8443", "null", "a.example"),
        refuses=("https://a.example/", "https://a.example/path", "https://a*.example", ""),
    )
    allow_methods: str = annotation(
        "cors-allow-methods",
        _words("[A-Za-z, ]*", "methods"),
        default="GET, PUT, POST, DELETE, PATCH, OPTIONS",
        risk=Risk.MEDIUM,
        doc="The methods that are allowed.",
        accepts=("GET, POST", "PUT"),
        refuses=("GET;POST", "*"),
    )
    allow_headers: str = annotation(
        "cors-allow-headers",
        _words("[A-Za-z0-9_, -]*", "header names"),
        default="DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization",
        risk=Risk.MEDIUM,
        doc="The request headers that are allowed.",
        accepts=("X-Forwarded-For, X-app123-XPTO", "X_Y"),
        refuses=("X-A: 1", "*"),
    )
    allow_credentials: bool = annotation(
        "cors-allow-credentials",
        boolean,
        default=True,
        doc="Whether cookies may be sent along.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
    expose_headers: str = annotation(
        "cors-expose-headers",
        _words("[A-Za-z0-9_*, -]*", "header names"),
        default="",
        risk=Risk.MEDIUM,
        doc="The response headers that pages may read; `*` for all.",
        accepts=("*", "X-CustomResponseHeader, X-A"),
        refuses=("X-A: 1",),
    )
    max_age: int = annotation(
        "cors-max-age",
        integer,
        default=1728000,
        doc="Seconds for which a browser may keep the answer to a preflight.",
        accepts=("600", "0"),
        refuses=("10m", ""),
    )
