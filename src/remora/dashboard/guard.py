"""What every request has to pass before a page sees it: the Host header, the cookie, and for a POST origin and form token.

It stands before all routes, so that no page can forget it. A page finds the viewer in `request.state.viewer`, and the fields
of a POST in `request.state.form`.
"""

import asyncio
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remora.dashboard.viewer import SignedIn, Viewer

OPEN_PATHS = frozenset({"/sign-in", "/enter"})
"""What is answered to anybody: how to get in. What the pages look like, too."""
_LOOKS = "/static/"
FORM_LIMIT = 3 << 20
"""Bytes of a form: a manifest is the largest, and the API server takes no larger object."""
STRANGERS_LIMIT = 64 << 10
"""Bytes of a form of whoever has not signed in: a token."""
_PATIENCE = 30.0
"""Seconds within which a form has to arrive."""
FORM_TYPE = "application/x-www-form-urlencoded"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that a browser sends its own forms with `Origin: null`, as if they were somebody else's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets through what comes from a viewer's own page."""

    def __init__(self, app: ASGIApp, *, signed_in: SignedIn, cookie: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._signed_in = signed_in
        self._cookie = cookie
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None and scope["method"] not in ("GET", "HEAD"):
            refusal = await self._read_form(scope, headers, receive)
        await (refusal or self._app)(scope, receive, _with_headers(send, scope["path"]))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why the request goes no further; notes the viewer in its state."""
        # A name of somebody else that leads to this address would make their page one of ours (DNS rebinding).
        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This dashboard is not called that.\n", 421)
        secret = cookie_value(headers, self._cookie)
        viewer = self._signed_in.find(secret)
        scope.setdefault("state", {}).update(
            viewer=viewer, secret=secret, form={}, is_in=lambda: self._signed_in.find(secret) is viewer
        )
        if viewer is None and scope["path"] not in OPEN_PATHS and not scope["path"].startswith(_LOOKS):
            return _to_sign_in(headers)
        return None

    async def _read_form(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """Why a POST goes no further; notes its fields."""
        origin = headers.get("origin", "")
        if scope["method"] != "POST":
            return PlainTextResponse("GET and POST only.\n", 405)
        if (
            origin.partition("://")[2] != headers.get("host", "")
            or headers.get("sec-fetch-site", "same-origin") != "same-origin"
        ):
            return PlainTextResponse("This form was sent by a page of somebody else.\n", 403)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            return PlainTextResponse(f"A form is sent as {FORM_TYPE}.\n", 415)
        viewer: Viewer | None = scope["state"]["viewer"]
        limit = STRANGERS_LIMIT if viewer is None else FORM_LIMIT
        try:
            async with asyncio.timeout(_PATIENCE):
                body = await _body(receive, limit)
        except TimeoutError:
            return PlainTextResponse("The form took too long.\n", 408, {"Connection": "close"})
        if body is None:
            return PlainTextResponse(f"The form has more than {limit} bytes.\n", 413, {"Connection": "close"})
        form = _fields(body)
        if form is None:
            return PlainTextResponse("The form is no UTF-8 text, or has too many fields.\n", 400)
        if viewer is not None and not hmac.compare_digest(form.get("csrf", "").encode(), viewer.csrf.encode()):
            return PlainTextResponse("The form is not from a page of this visit; load the page again.\n", 403)
        scope["state"]["form"] = form
        return None


def cookie_value(headers: Headers, name: str) -> str:
    """The value of one cookie, "" without it."""
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
    return ""


def _name(host: str) -> str:
    """A Host header without its port."""
    return host.rpartition(":")[0].lower() if not host.endswith("]") and ":" in host else host.lower()


def _to_sign_in(headers: Headers) -> Response:
    if "text/html" in headers.get("accept", ""):
        return RedirectResponse("/sign-in", 303)
    return PlainTextResponse("Sign in first.\n", 401)


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The request's body, None if it is too long."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
        if len(body) > limit:
            return None
    return bytes(body)


def _fields(body: bytes) -> Mapping[str, str] | None:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=200))
    except ValueError:
        return None


def _with_headers(send: Send, path: str) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Cache-Control", "no-cache" if path.startswith("/static/") else "no-store")
        await send(message)

    return send_with_headers
