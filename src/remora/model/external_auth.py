"""Authentication by another service: what it is asked, and what becomes of its answer."""

import msgspec

from remora.model.backend import BackendName

Template = tuple[str, ...]
"""Text, a variable, text, a variable, and so on; it begins and ends with text. Variables are those of `VARIABLES`, or one of
FAMILIES with a colon and a name: `http:x-user` (a request header), `cookie:session`, `arg:token`."""

VARIABLES = frozenset(
    (
        *("host", "http_host", "scheme", "told_scheme", "told_port", "request_method", "request_uri", "escaped_request_uri"),
        *("uri", "args", "is_args", "remote_addr", "remote_user", "request_id", "forwarded_for"),
    )
)
"""`host` is without port and in lower case, `http_host` as sent; `scheme` is the connection's, `told_*` what pods are told."""

FAMILIES = ("http", "cookie", "arg")


class ExternalAuth(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The service is sent the headers of each request and answers whether it may pass.

    `host` and `target` (path and query) are what is asked for. `response_headers` go from its answer to the pod, in place of
    the client's; all names are in lower case. A client that must sign in is sent to `sign_in`, if that is not empty.
    Answers count for `cache_key`, for as long as `cache_durations` say: a status, 0 for any, and seconds.
    """

    backend: BackendName
    host: str
    target: Template
    method: str = "GET"
    timeout: int = 60
    """Seconds of silence."""
    response_headers: tuple[str, ...] = ()
    sent_headers: tuple[tuple[str, Template], ...] = ()
    redirect: Template = ()
    """What the service is told of the way back; the request's own path and query if it is empty."""
    sign_in: Template = ()
    always_set_cookie: bool = False
    cache_key: Template = ()
    cache_durations: tuple[tuple[int, int], ...] = ()
