"""What a session cookie says of its session, to whoever has it. Pure; the forms are those of `features.session_cookie`."""

import re

import msgspec

from remora.observe.live_sessions import session_digest

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_SERVER = re.compile(r"[0-9a-f]{20}")
_FORMER = re.compile(r"[^|~]+\|[0-9a-f]{32}")


class CookieFacts(msgspec.Struct, frozen=True):
    """`digest` is what the session is called where it is tracked, `server` the name of the pod's server; "" for neither.

    `is_former` says that ingress-nginx issued it.
    """

    digest: str = ""
    server: str = ""
    is_former: bool = False


def read_cookie(text: str) -> CookieFacts:
    """What is in `VALUE` or `NAME=VALUE`."""
    value = text.strip().rpartition("=")[2].strip('"; ')
    meant, _, more = value.partition("|")
    stamp = more.partition("|")[2] or meant.rpartition("~")[0]
    identifier = stamp.partition(".")[0]
    server = meant.rpartition("~")[2]
    is_ours = bool(_SERVER.fullmatch(server))
    return CookieFacts(
        session_digest(identifier) if _IDENTIFIER.fullmatch(identifier) else "",
        server if is_ours else "",
        is_former=not is_ours and bool(_FORMER.fullmatch(value)),
    )
