"""From what a person types for a request to what reaches the proxy. Pure."""

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from remora.core.errors import UsageError
from remora.report.explain import Request

_USUAL_PORTS = {"http": 80, "https": 443}
_HTTP_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NOT_IN_HOSTS = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")


def parse_request(url: str, *, cookies: Sequence[str], headers: Sequence[str], method: str) -> Request:
    """The request; a URL without a scheme is http, and what cannot be sent is encoded as browsers do.

    Raises:
        UsageError: the URL, the method, a cookie or a header is none.
    """
    if not re.fullmatch(_HTTP_WORD, method):
        raise UsageError(f"--method {method!r} is no method such as GET or POST")
    given = dict(_parse_header(text) for text in headers)
    sent = "; ".join([*([given["cookie"]] if "cookie" in given else []), *map(_parse_cookie, cookies)])
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in _USUAL_PORTS or not host or _NOT_IN_HOSTS.search(parts.netloc):
        raise UsageError(f"{url!r} is no URL of the form http://host/path or https://host/path")
    if port == _USUAL_PORTS[parts.scheme]:
        port = None
    name = f"[{host}]" if ":" in host else _ascii(host)
    return Request(
        scheme=parts.scheme,
        host=given.get("host") or (name if port is None else f"{name}:{port}"),
        path=_encoded(parts.path) or "/",
        query=_encoded(parts.query),
        method=method.upper(),
        headers=given,
        cookies=sent,
    )


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise UsageError(f"{host!r} is no host name: {error}") from error


def _encoded(text: str) -> str:
    return quote(text, safe="".join(map(chr, range(0x21, 0x7F))))


def _parse_cookie(text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals or not name or re.search(r"[\x00-\x20;]", name + value):
        raise UsageError(f"--cookie {text!r} is not of the form NAME=VALUE")
    return text


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(_HTTP_WORD, name.strip()):
        raise UsageError(f"--header {text!r} is not of the form 'Name: value'")
    return name.strip().lower(), value.strip()
