"""Secrets that hold a service account's token (type `kubernetes.io/service-account-token`), for those who still ask for one."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Update, carry_out, delete
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.events import Events
from remora.cluster.objects import Object, annotations_of, is_terminating, key_of, uid_of, with_metadata
from remora.core.names import NamespacedName

COMPONENT = "serviceaccount-token-controller"
TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"

IssueToken = Callable[[str, str], str]
"""A token for a namespace's service account, which lasts as long as its Secret may."""


def decide(secret: Object, account: Object | None, *, ca_certificate: str, issue_token: IssueToken) -> tuple[Action, ...]:
    """Fills the Secret, or deletes it with its account."""
    if secret.get("type") != TYPE or is_terminating(secret):
        return ()
    given = annotations_of(secret)
    if account is None or given.get(ACCOUNT_UID, uid_of(account)) != uid_of(account):
        return (delete("secrets", secret),)
    namespace, name = secret["metadata"]["namespace"], account["metadata"]["name"]
    before: Mapping[str, Any] = secret.get("data") or {}
    data = {**before, "ca.crt": _encoded(ca_certificate), "namespace": _encoded(namespace)}
    if not before.get("token"):
        data["token"] = _encoded(issue_token(namespace, name))
    if data == before and ACCOUNT_UID in given:
        return ()
    return (Update("secrets", {**with_metadata(secret, annotations={**given, ACCOUNT_UID: uid_of(account)}), "data": data}),)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class TokenSecretController:
    """Keeps these Secrets as `decide` says."""

    def __init__(self, *, registry: Registry, events: Events, ca_certificate: str, issue_token: IssueToken) -> None:
        self._registry = registry
        self._events = events
        self._ca_certificate = ca_certificate
        self._issue_token = issue_token
        self._loop: Loop[NamespacedName] = Loop("token-secret", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, "secrets", self._secret_changed))
            group.create_task(follow(self._registry, "serviceaccounts", self._account_changed))

    def _secret_changed(self, event: WatchEvent) -> None:
        if event.type != "DELETED" and event.object.get("type") == TYPE:
            self._loop.add(key_of(event.object))

    def _account_changed(self, event: WatchEvent) -> None:
        if event.type != "MODIFIED":
            for secret in self._registry.list("secrets", event.object["metadata"]["namespace"])[0]:
                if annotations_of(secret).get(ACCOUNT_NAME) == event.object["metadata"]["name"]:
                    self._loop.add(key_of(secret))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        secret = self._registry.find("secrets", key.namespace, key.name)
        if secret is not None:
            account = self._registry.find("serviceaccounts", key.namespace, annotations_of(secret).get(ACCOUNT_NAME, ""))
            actions = decide(secret, account, ca_certificate=self._ca_certificate, issue_token=self._issue_token)
            await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None
