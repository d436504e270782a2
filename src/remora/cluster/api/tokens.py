"""Service account tokens: JSON Web Tokens (RFC 7519) with the claims that Kubernetes puts into them, signed with HS256."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

ISSUER = "https://kubernetes.default.svc.cluster.local"
_HEADER = {"alg": "HS256", "typ": "JWT"}
_YEAR = 365 * 24 * 3600
_PREFIX = "system:serviceaccount"


class TokenError(ValueError):
    """A token that is not ours, or no longer valid."""


class Identity(msgspec.Struct, frozen=True):
    """Who makes a request, as `UserInfo` of authentication.k8s.io has it."""

    username: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, tuple[str, ...]] = {}


class Tokens:
    """Issues and verifies; `now` gives seconds since the epoch."""

    def __init__(self, key: bytes, *, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now

    def issue(
        self,
        namespace: str,
        service_account: str,
        pod_name: str = "",
        *,
        lifetime: int = _YEAR,
        audiences: Sequence[str] = (),
    ) -> str:
        """A token for a service account, bound to a pod if one is named; `lifetime` in seconds.

        `audiences` are who is to accept it; without any it is the API server.
        """
        now = int(self._now())
        bound: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": service_account}}
        if pod_name:
            bound["pod"] = {"name": pod_name}
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": now + lifetime,
            "iat": now,
            "iss": ISSUER,
            "kubernetes.io": bound,
            "nbf": now,
            "sub": f"{_PREFIX}:{namespace}:{service_account}",
        }
        signed = f"{_encode(msgspec.json.encode(_HEADER))}.{_encode(msgspec.json.encode(claims))}"
        return f"{signed}.{self._signature(signed)}"

    def verify(self, token: str, *, audiences: Sequence[str] = ()) -> Identity:
        """Whom a token stands for, if it is meant for one of the audiences; without any, for the API server.

        Raises:
            TokenError: it was not issued here, was changed, or is not valid now.
        """
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise TokenError("the token's signature is not ours")
        claims = _decode(signed)
        if not claims["nbf"] <= self._now() < claims["exp"]:
            raise TokenError("the token has expired")
        if not set(claims["aud"]) & set(audiences or (ISSUER,)):
            raise TokenError("the token is meant for others")
        bound = claims["kubernetes.io"]
        namespace, name = bound["namespace"], bound["serviceaccount"]["name"]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        pod = bound.get("pod", {}).get("name")
        extra: dict[str, tuple[str, ...]] = {"authentication.kubernetes.io/pod-name": (pod,)} if pod else {}
        return Identity(f"{_PREFIX}:{namespace}:{name}", groups, "", extra)

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(), hashlib.sha256))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decode(signed: str) -> dict[str, Any]:
    """The claims of a token whose signature was checked."""
    payload = signed.partition(".")[2]
    try:
        claims: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, msgspec.DecodeError) as error:
        raise TokenError("the token cannot be read") from error
    return claims
