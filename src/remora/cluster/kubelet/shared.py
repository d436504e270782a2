"""What all pods of the node have in common."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from remora.cluster.api.registry import Registry
from remora.cluster.events import Events
from remora.cluster.kubelet.environment import Sources
from remora.cluster.kubelet.images import ImageCatalog
from remora.cluster.objects import Object, uid_of

COMPONENT = "kubelet"
_TOKEN_AGE = 1800.0
"""Seconds after which a pod's token is replaced, long before it expires."""


class Tokens(Protocol):
    """Who issues service account tokens."""

    def issue(self, namespace: str, service_account: str, pod_name: str) -> str: ...


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
    _tokens: dict[str, tuple[float, str]] = field(default_factory=dict)

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

    def token(self, pod: Object) -> str:
        """The pod's token, a new one from time to time."""
        issued_at, token = self._tokens.get(uid_of(pod), (float("-inf"), ""))
        if time.monotonic() - issued_at > _TOKEN_AGE:
            metadata = pod["metadata"]
            token = self.tokens.issue(metadata["namespace"], _account(pod), metadata["name"])
            self._tokens[uid_of(pod)] = (time.monotonic(), token)
        return token

    def forget(self, uid: str) -> None:
        self._tokens.pop(uid, None)

    def _is_mounted(self, pod: Object) -> bool:
        wanted = pod["spec"].get("automountServiceAccountToken")
        if wanted is None:
            account = self.registry.find("serviceaccounts", pod["metadata"]["namespace"], _account(pod))
            wanted = (account or {}).get("automountServiceAccountToken")
        return wanted is not False


def _account(pod: Mapping[str, Any]) -> str:
    return pod["spec"].get("serviceAccountName") or "default"
