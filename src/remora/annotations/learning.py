"""Where an application names its sessions: the value of `session-learn`."""

import re

from remora.annotations.values import ValueRefused, shown, trimmed

_SOURCE = re.compile(r"(cookie|header|query|path):([A-Za-z0-9!$&+.^_~-]{1,64})", re.ASCII)


def session_source(text: str) -> tuple[str, ...]:
    """`cookie:NAME`, `header:NAME`, `query:NAME` or `path:NAME`, as the two parts; the names of headers in lower case."""
    found = _SOURCE.fullmatch(trimmed(text))
    if not found:
        raise ValueRefused(f"{shown(text)} is not cookie:NAME, header:NAME, query:NAME or path:NAME")
    kind, name = found[1], found[2]
    return kind, name.lower() if kind == "header" else name
