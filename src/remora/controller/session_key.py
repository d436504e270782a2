"""The key from which session keys are made: one Secret, which the first controller creates and all share."""

import asyncio
import base64
import logging
import secrets
from collections.abc import Callable

from remora.core.errors import ApiServerError, ApiServerRefused, ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.objects import Secret
from remora.kube.reflector import Position, wait_of
from remora.kube.resources import NAMESPACES, RESOURCES

NAME = "remora-session-key"
ENTRY = "key"
LENGTH = 32
SHORTEST = 16
USUAL_NAMESPACE = "ingress-remora"

_log = logging.getLogger(__name__)


async def fetch_session_key(
    client: ApiClient, given: NamespacedName | None, *, own_namespace: str, jitter: Callable[[], float]
) -> bytes:
    """The key, created if there is none; waits for the API server as long as it takes.

    Raises:
        ConfigurationError: the Secret is there but holds no key.
    """
    failures = 0
    while True:
        try:
            place = given or NamespacedName(await find_own_namespace(client, own_namespace), NAME)
            return await _fetch_or_create(client, place)
        except ApiServerError as error:
            failures += 1
            _log.warning("the session key is not to be had yet, attempt %d: %s%s", failures, error, _advice(error, given))
            await asyncio.sleep(wait_of(Position(failures=failures), jitter()))


async def borrow_session_key(
    client: ApiClient, given: NamespacedName | None, *, own_namespace: str, jitter: Callable[[], float]
) -> bytes:
    """The key without creating any: one of its own until the end of the process where there is none that it may read.

    Raises:
        ConfigurationError: the Secret is there but holds no key.
    """
    failures = 0
    while True:
        try:
            place = given or NamespacedName(await find_own_namespace(client, own_namespace), NAME)
            return read_key(await client.fetch(Secret, place))
        except ApiServerError as error:
            if isinstance(error, ApiServerRefused) and error.status in (403, 404):
                _log.warning("sessions end with this process, since there is no session key to be read: %s", error)
                return secrets.token_bytes(LENGTH)
            failures += 1
            _log.warning("the session key is not to be had yet, attempt %d: %s", failures, error)
            await asyncio.sleep(wait_of(Position(failures=failures), jitter()))


async def find_own_namespace(client: ApiClient, own: str) -> str:
    """The namespace for objects of the controller's own: `own`, or outside of a cluster where it would be installed."""
    if own:
        return own
    try:
        return USUAL_NAMESPACE if await client.has(NAMESPACES, NamespacedName("", USUAL_NAMESPACE)) else "default"
    except ApiServerRefused as error:
        if error.status == 403:  # our manifest grants the Secret there, but no look at namespaces
            return USUAL_NAMESPACE
        raise


async def _fetch_or_create(client: ApiClient, place: NamespacedName) -> bytes:
    while True:
        try:
            return read_key(await client.fetch(Secret, place))
        except ApiServerRefused as error:
            if error.status != 404:
                raise
        try:
            await client.create(RESOURCES[Secret], place.namespace, secret_body(place, secrets.token_bytes(LENGTH)))
            _log.info("created Secret %s with a new session key", place)
        except ApiServerRefused as error:
            if error.status != 409:  # another replica was quicker
                raise


def secret_body(place: NamespacedName, key: bytes) -> dict[str, object]:
    """The Secret as it is created."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": place.name,
            "namespace": place.namespace,
            "labels": {"app.kubernetes.io/name": "remora", "app.kubernetes.io/part-of": "remora"},
        },
        "data": {ENTRY: base64.b64encode(key).decode()},
    }


def read_key(secret: Secret) -> bytes:
    """The key in a Secret.

    Raises:
        ConfigurationError: there is none, or it is too short to be one.
    """
    key = (secret.data or {}).get(ENTRY, b"")
    if len(key) < SHORTEST:
        raise ConfigurationError(
            f"Secret {secret.key}: data.{ENTRY} has {len(key)} bytes, {SHORTEST} are the least; delete the Secret to have "
            "a new key made, which ends all sessions"
        )
    return key


def _advice(error: ApiServerError, given: NamespacedName | None) -> str:
    if not isinstance(error, ApiServerRefused) or error.status != 403:
        return ""
    return (
        f"; grant get and create on Secrets as deploy/remora.yaml does, or create the Secret {given or NAME} yourself "
        f"(kubectl create secret generic {NAME} --from-literal={ENTRY}=$(openssl rand -hex 32))"
    )
