"""Asking a webhook over HTTPS: its address, its certificate's authority, and Kubernetes' words for what goes wrong."""

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from remora.cluster.api.admission.hooks import Hook
from remora.cluster.api.admission.review import CallError

Object = dict[str, Any]

_MOST_ANSWER = 3 * 1024 * 1024
_MOST_CONTEXTS = 100


class Target(NamedTuple):
    """`url` is where to connect to, `shown` what messages call it; `host` is whom the certificate must be for."""

    url: URL
    shown: str
    host: str


class WebhookClient:
    """Puts questions to webhooks; `find_service` gives the stored Service of a namespace and name."""

    def __init__(self, find_service: Callable[[str, str], Object | None]) -> None:
        self._find_service = find_service
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, hook: Hook, review: Object) -> bytes:
        """The body of the webhook's answer.

        Raises:
            CallError: there is none.
        """
        shown = _shown(hook)
        try:
            target = self._target(hook, shown)
            async with asyncio.timeout(hook.timeout):
                return await self._post(hook, target, msgspec.json.encode(review))
        except TimeoutError:
            raise CallError(f'failed to call webhook: Post "{shown}": context deadline exceeded') from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallError(f'failed to call webhook: Post "{shown}": {_words(error)}') from None

    async def _post(self, hook: Hook, target: Target, body: bytes) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*", "Host": target.host}
        async with self._session.post(
            target.url,
            data=body,
            headers=headers,
            ssl=self._context(hook.client.get("caBundle") or ""),
            server_hostname=target.host.partition(":")[0] if hook.client.get("service") else None,
            allow_redirects=False,
        ) as answer:
            content = await answer.content.read(_MOST_ANSWER + 1)
            while len(content) <= _MOST_ANSWER and (more := await answer.content.read(_MOST_ANSWER + 1)):
                content += more
            if len(content) > _MOST_ANSWER:
                raise CallError(f"failed to call webhook: the answer is larger than {_MOST_ANSWER} bytes")
            if answer.status != 200:
                raise CallError(f"failed to call webhook: {_words_for(answer.status, content)}")
            return content

    def _target(self, hook: Hook, shown: str) -> Target:
        service = hook.client.get("service")
        if not service:
            url = URL(hook.client.get("url") or "").update_query(timeout=f"{hook.timeout}s")
            return Target(url, shown, url.authority)
        found = self._find_service(service["namespace"], service["name"])
        if found is None:
            raise ValueError(f'service "{service["name"]}" not found')
        port = int(service.get("port") or 443)
        if not any(known.get("port") == port for known in found["spec"].get("ports") or ()):
            raise ValueError(f'no service port {port} found for service "{service["name"]}"')
        address = found["spec"].get("externalName") or found["spec"].get("clusterIP") or ""
        if address in ("", "None"):
            raise ValueError(f'service "{service["name"]}" has no cluster IP')
        url = URL(shown).with_host(address)
        return Target(url, shown, f"{service['name']}.{service['namespace']}.svc:{port}")

    def _context(self, bundle: str) -> ssl.SSLContext:
        context = self._contexts.get(bundle)
        if context is None:
            if len(self._contexts) >= _MOST_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[bundle] = _make_context(bundle)
        return context


def _make_context(bundle: str) -> ssl.SSLContext:
    try:
        text = base64.b64decode(bundle).decode("ascii") if bundle else None
        context = ssl.create_default_context(cadata=text)
    except (binascii.Error, UnicodeDecodeError, ssl.SSLError):
        raise ValueError("unable to load root certificates: unable to parse bytes as PEM block") from None
    # Whatever is in the bundle is trusted, also if it is the webhook's own certificate.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _shown(hook: Hook) -> str:
    """The address as Kubernetes writes it."""
    service = hook.client.get("service")
    if not service:
        return f"{hook.client.get('url', '')}?timeout={hook.timeout}s"
    host = f"{service.get('name', '')}.{service.get('namespace', '')}.svc:{int(service.get('port') or 443)}"
    path = service.get("path") or "/"
    return f"https://{host}/{path.lstrip('/')}?timeout={hook.timeout}s"


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = "connect: connection refused" if isinstance(error.os_error, ConnectionRefusedError) else str(error.os_error)
        # A proxy that finds nobody behind it hangs up in the middle of the handshake.
        return f"dial tcp {error.host}:{error.port}: {cause}" if cause else "EOF"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    return str(error) or type(error).__name__


def _words_for(status: int, content: bytes) -> str:
    """What Kubernetes' client says of a status (apimachinery `NewGenericServerResponse`)."""
    if status >= 500:
        text = content[:2048].decode(errors="replace").strip() or "unknown"
        return f'an error on the server ("{text}") has prevented the request from succeeding'
    if status == 404:
        return "the server could not find the requested resource"
    return "the server rejected our request for an unknown reason"
