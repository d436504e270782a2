"""What all pods of the node have in common."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from remora.cluster.api.registry import Registry
from remora.cluster.events import Events
from remora.cluster.kubelet.environment import Sources
from remora.cluster.kubelet.images import ImageCatalog
from remora.cluster.kubelet.resolving import PodDns
from remora.cluster.objects import Object, uid_of

COMPONENT = "kubelet"
_USUAL = 3607
"""Seconds that the token lives that a pod gets without asking."""
_YEAR = 365 * 24 * 3600
_RENEWED = 0.8
"""The part of its lifetime after which a token is replaced."""


class Tokens(Protocol):
    """Who issues service account tokens."""

    def issue(
        self,
        namespace: str,
        service_account: str,
        pod_name: str,
        *,
        lifetime: int = ...,
        audiences: Sequence[str] = ...,
    ) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Directories, addresses and services that pods use; `inherited` is the cluster process's environment."""

    registry: Registry
    events: Events
    images: ImageCatalog
    tokens: Tokens
    session: aiohttp.ClientSession
    directory: Path
    node_ip: str
    node_name: str
    api_host: str
    api_port: int
    ca_certificate: str
    inherited: Mapping[str, str]
    dns: PodDns = field(default_factory=PodDns)
    allocatable: Mapping[str, str] = field(default_factory=dict)
    _tokens: dict[tuple[str, str, int], tuple[float, str]] = field(default_factory=dict)

    def sources(self, namespace: str) -> Sources:
        return Sources(
            find_config_map=partial(self.registry.find, "configmaps", namespace),
            find_secret=partial(self.registry.find, "secrets", namespace),
            find_claimed_volume=partial(self._find_claimed_volume, namespace),
            services=self.registry.list("services", namespace)[0],
            api_host=self.api_host,
            api_port=self.api_port,
        )

    def _find_claimed_volume(self, namespace: str, claim: str) -> Object | None:
        """The PersistentVolume that a claim is bound to."""
        found = self.registry.find("persistentvolumeclaims", namespace, claim)
        if found is None or (found.get("status") or {}).get("phase") != "Bound":
            return None
        return self.registry.find("persistentvolumes", "", found["spec"]["volumeName"])

    def account_files(self, pod: Object) -> dict[str, bytes]:
        """What a container finds in /var/run/secrets/kubernetes.io/serviceaccount; empty if it is not to be mounted."""
        if not self._is_mounted(pod):
            return {}
        namespace = pod["metadata"]["namespace"]
        return {"token": self.token(pod).encode(), "ca.crt": self.ca_certificate.encode(), "namespace": namespace.encode()}

    def token(self, pod: Object, source: Mapping[str, Any] | None = None) -> str:
        """A token of the pod for a `serviceAccountToken` source, a new one when the time of the last is mostly over.

        As in Kubernetes, tokens that live for 3607 s, which is what is mounted without being asked for, are valid for a year:
        not all clients read them again.
        """
        lifetime = int((source or {}).get("expirationSeconds") or _USUAL)
        audience = str((source or {}).get("audience") or "")
        issued_at, token = self._tokens.get((uid_of(pod), audience, lifetime), (float("-inf"), ""))
        if time.monotonic() - issued_at > lifetime * _RENEWED:
            metadata = pod["metadata"]
            valid = _YEAR if lifetime == _USUAL else lifetime
            audiences = (audience,) if audience else ()
            token = self.tokens.issue(
                metadata["namespace"], _account(pod), metadata["name"], lifetime=valid, audiences=audiences
            )
            self._tokens[uid_of(pod), audience, lifetime] = (time.monotonic(), token)
        return token

    def forget(self, uid: str) -> None:
        for key in [key for key in self._tokens if key[0] == uid]:
            del self._tokens[key]

    def _is_mounted(self, pod: Object) -> bool:
        wanted = pod["spec"].get("automountServiceAccountToken")
        if wanted is None:
            account = self.registry.find("serviceaccounts", pod["metadata"]["namespace"], _account(pod))
            wanted = (account or {}).get("automountServiceAccountToken")
        return wanted is not False


def _account(pod: Mapping[str, Any]) -> str:
    return pod["spec"].get("serviceAccountName") or "default"
