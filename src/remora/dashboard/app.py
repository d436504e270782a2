"""The dashboard as an ASGI application: the frame's own routes around those of its parts."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from remora.core.errors import RemoraError
from remora.dashboard.events import events
from remora.dashboard.guard import Guard
from remora.dashboard.site import Part, Site
from remora.dashboard.viewer import Access, SignedIn, SignInRefused, Viewer

_STATIC = Path(__file__).parent / "static"


def application(
    site: Site,
    access: Access,
    parts: Sequence[Part],
    *,
    hosts: frozenset[str],
    cookie: str,
    is_secure: bool = False,
    idle: float | None = None,
) -> Starlette:
    """The application. It answers to these names in the Host header (none: to any), and keeps its secret in that cookie.

    Who has not looked for `idle` seconds has to sign in again.
    """
    signed_in = SignedIn(idle)
    doors = _Doors(site, access, signed_in, cookie, is_secure=is_secure)
    site.entries = [entry for part in parts for entry in part.entries]
    routes = [
        Route("/enter", doors.enter),
        Route("/sign-in", doors.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", doors.sign_out, methods=["POST"]),
        Route("/events", partial(events, site)),
        *(route for part in parts for route in part.routes),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]

    async def trouble(request: Request, error: Exception) -> Response:
        return site.page(request, "trouble.html", title="It did not work", status=502, message=str(error))

    async def missing(request: Request, _: Exception) -> Response:
        return site.page(request, "trouble.html", title="Not found", status=404, message="There is no such page.")

    guard = Middleware(Guard, signed_in=signed_in, cookie=cookie, hosts=hosts)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={RemoraError: trouble, 404: missing})


class _Doors:
    """How one gets in and out."""

    def __init__(self, site: Site, access: Access, signed_in: SignedIn, cookie: str, *, is_secure: bool) -> None:
        self._site = site
        self._access = access
        self._signed_in = signed_in
        self._cookie = cookie
        self._is_secure = is_secure

    async def enter(self, request: Request) -> Response:
        """By the address that was printed; whoever is in already just goes on."""
        if request.state.viewer is not None:
            return RedirectResponse("/", 303)
        try:
            return self._let_in(self._access.enter(request.query_params.get("token", "")))
        except SignInRefused as error:
            return self._page(request, str(error), 403)

    async def sign_in(self, request: Request) -> Response:
        """By a token."""
        if request.method != "POST":
            return self._page(request, "", 200)
        try:
            return self._let_in(await self._access.sign_in(request.state.form.get("token", "").strip()))
        except SignInRefused as error:
            return self._page(request, str(error), 403)

    async def sign_out(self, request: Request) -> Response:
        """Forgets the viewer."""
        self._signed_in.remove(request.state.secret)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(self._cookie, httponly=True, samesite="strict", secure=self._is_secure)
        return response

    def _let_in(self, viewer: Viewer) -> Response:
        response = RedirectResponse("/", 303)
        secret = self._signed_in.add(viewer)
        response.set_cookie(self._cookie, secret, httponly=True, samesite="strict", secure=self._is_secure)
        return response

    def _page(self, request: Request, refusal: str, status: int) -> Response:
        asks = self._access.asks_token
        return self._site.page(request, "sign_in.html", title="Sign in", status=status, refusal=refusal, asks_token=asks)
