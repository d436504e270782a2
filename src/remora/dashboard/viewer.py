"""Who looks, what they may see, and how they got in."""

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Protocol

import msgspec

from remora.core.errors import RemoraError
from remora.kube.client import ApiClient

_SIGNED_IN = 200
"""Viewers that are kept; whoever has been away for longest signs in again."""


class Seeing(Protocol):
    """What a viewer may see."""

    async def seen(self, namespaces: Iterable[str]) -> frozenset[str] | None:
        """Those of these namespaces whose traffic may be seen; None for all there are. Raises RemoraError."""


class Viewer(msgspec.Struct, frozen=True):
    """`client` asks the API server as the viewer, and is None where no cluster is known (a controller by its URL).

    `rights` say of which namespaces they may see traffic, None that it is all. `csrf` is what each of their forms has to send.
    """

    name: str
    client: ApiClient | None
    namespace: str = "default"
    namespaces: frozenset[str] | None = None
    """Those that are read one by one where it may not be read across all."""
    rights: "Seeing | None" = None
    may_write: bool = False
    csrf: str = ""


class SignInRefused(RemoraError):
    """Whoever it is does not get in; the text says why and what to do."""


class Access(Protocol):
    """How viewers get in. `asks_token` says whether the sign-in page has a field for a token."""

    asks_token: bool

    def enter(self, key: str) -> Viewer:
        """The viewer whose one-time URL this is. Raises SignInRefused."""

    async def sign_in(self, token: str) -> Viewer:
        """The viewer to whom the API server says that the token belongs. Raises SignInRefused."""


class OneTimeUrl:
    """One person, who started the dashboard and has its URL: it lets one browser in, once."""

    asks_token = False

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.key = secrets.token_urlsafe(24)
        self._is_used = False

    def enter(self, key: str) -> Viewer:
        """See Access."""
        if self._is_used or not hmac.compare_digest(key.encode(), self.key.encode()):
            raise SignInRefused(
                "This address has been used, or is not the one that was printed. Start `remora dashboard` again."
            )
        self._is_used = True
        return self._viewer

    async def sign_in(self, token: str) -> Viewer:
        """Nobody gets in that way."""
        raise SignInRefused("Open the address that `remora dashboard` printed.")


class SignedIn:
    """Viewers by the secret in their cookie. Who has not been there for `idle` seconds is forgotten with their credentials."""

    def __init__(self, idle: float | None = None) -> None:
        self._idle = idle
        self._viewers: OrderedDict[str, Viewer] = OrderedDict()
        self._looked: dict[str, float] = {}

    def add(self, viewer: Viewer) -> str:
        """Lets a viewer in; returns the secret for the cookie."""
        secret = secrets.token_urlsafe(32)
        self._viewers[secret] = msgspec.structs.replace(viewer, csrf=secrets.token_urlsafe(24))
        self._looked[secret] = time.monotonic()
        while len(self._viewers) > _SIGNED_IN:
            self.remove(next(iter(self._viewers)))
        return secret

    def find(self, secret: str) -> Viewer | None:
        """Who has that secret."""
        self._forget()
        if (viewer := self._viewers.get(secret)) is not None:
            self._viewers.move_to_end(secret)
            self._looked[secret] = time.monotonic()
        return viewer

    def remove(self, secret: str) -> None:
        """Signs a viewer out."""
        self._viewers.pop(secret, None)
        self._looked.pop(secret, None)

    def _forget(self) -> None:
        if self._idle is None:
            return
        since = time.monotonic() - self._idle
        while self._viewers and self._looked[first := next(iter(self._viewers))] < since:
            self.remove(first)
