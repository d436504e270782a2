"""Viewers with a token of their own: who they are, and of which namespaces they may see traffic.

What controllers publish is nobody's object, so that the API server guards it no more. The rule here: whoever may list the
Ingresses of a namespace may see its traffic. The API server is asked with the viewer's token, again every half minute, and if
it does not answer, nothing is shown.
"""

import asyncio
import ssl
import time
from collections.abc import Iterable

import aiohttp
import msgspec

from remora.core.errors import ApiServerRefused, RemoraError
from remora.dashboard.access_review import may
from remora.dashboard.viewer import SignInRefused, Viewer
from remora.kube.client import ApiClient
from remora.kube.credentials import Connection
from remora.kube.resources import Resource

_WHO = Resource("/apis/authentication.k8s.io/v1", "selfsubjectreviews", namespaced=False)
_KNOWN_FOR = 30.0
_AT_ONCE = 8
_LONGEST_TOKEN = 16_384


class Rights:
    """What one token may see."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._answers: dict[str, tuple[float, bool]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def seen(self, namespaces: Iterable[str]) -> frozenset[str] | None:
        """Those of these namespaces that may be seen; None for all there are.

        Raises:
            RemoraError: the token has expired, or the API server does not answer.
        """
        try:
            if await self._may(""):
                return None
            asked = sorted(namespaces)
            answers = await asyncio.gather(*map(self._may, asked))
        except ApiServerRefused as error:
            if error.status == 401:
                raise RemoraError("your token is not valid any more; sign out and in again with a new one") from error
            raise
        return frozenset(namespace for namespace, may in zip(asked, answers, strict=True) if may)

    async def _may(self, namespace: str) -> bool:
        told = self._answers.get(namespace)
        if told is not None and time.monotonic() - told[0] < _KNOWN_FOR:
            return told[1]
        async with self._turns:
            asked = {"verb": "list", "group": "networking.k8s.io", "resource": "ingresses", "namespace": namespace}
            allowed = await may(self._client, asked)
        self._answers[namespace] = time.monotonic(), allowed
        return allowed


class TokenSignIn:
    """Lets in whom the API server knows. It goes to the API server of `connection`, with nothing but the viewer's token."""

    asks_token = True

    def __init__(self, connection: Connection, session: aiohttp.ClientSession) -> None:
        self._connection = connection
        self._session = session
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def enter(self, key: str) -> Viewer:
        """Nobody gets in that way."""
        raise SignInRefused("Sign in with a token.")

    async def sign_in(self, token: str) -> Viewer:
        """See Access."""
        if not token or len(token) > _LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
            raise SignInRefused("That is no token.")

        async def authorize() -> str:
            return f"Bearer {token}"

        client = ApiClient(msgspec.structs.replace(self._connection, authorize=authorize), self._session)
        rights = Rights(client)
        async with self._turns:
            try:
                await rights.seen(())
            except RemoraError as error:
                raise SignInRefused(f"The API server does not take it: {error}") from error
            name = await _name(client)
        return Viewer(name, client, rights=rights)


def without_certificate(context: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """A context that trusts whom the other trusts, and shows no certificate: else a viewer could be taken for its owner."""
    if context is None:
        return None
    authorities = b"".join(context.get_ca_certs(binary_form=True))
    made = ssl.create_default_context(cadata=authorities or None)
    made.check_hostname = context.check_hostname
    made.verify_mode = context.verify_mode
    return made


async def _name(client: ApiClient) -> str:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = msgspec.json.decode(await client.create(_WHO, "", body), type=_Who)
    except (RemoraError, msgspec.MsgspecError):
        return "signed in"
    return answer.status.user_info.username.removeprefix("system:serviceaccount:")


class _User(msgspec.Struct, frozen=True):
    username: str = "signed in"


class _WhoStatus(msgspec.Struct, frozen=True, rename="camel"):
    user_info: _User = _User()


class _Who(msgspec.Struct, frozen=True):
    status: _WhoStatus = _WhoStatus()
