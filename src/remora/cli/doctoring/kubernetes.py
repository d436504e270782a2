"""Facts about a cluster, as far as one may read them."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import msgspec
import yaml

from remora.cli.doctoring.machine import parse_version
from remora.cli.fetch import Fetched, read_cluster
from remora.core.errors import ApiServerRefused
from remora.core.names import NamespacedName
from remora.core.settings import INGRESS_NGINX_CONTROLLER, REMORA_CONTROLLER
from remora.kube.client import ApiClient
from remora.kube.objects import EndpointSlice, Ingress, IngressClass, Secret, Service
from remora.kube.objects.lease import Lease
from remora.kube.objects.running_pod import RunningPod
from remora.kube.resources import RESOURCES, Resource, Scope
from remora.kube.wire import Decoder
from remora.report.doctor import classes, cluster, references, rights, webhooks
from remora.report.doctor.classes import ControllerFacts
from remora.report.doctor.finding import Finding, warning
from remora.report.doctor.machine import Version
from remora.report.doctor.rights import Right

_NAME = "app.kubernetes.io/name"
_COMPONENT = "app.kubernetes.io/component"
_INSTANCE = "app.kubernetes.io/instance"
_SELECTOR = f"{_NAME} in (remora,ingress-nginx)"
_REVIEWS = Resource("/apis/authorization.k8s.io/v1", "subjectaccessreviews", namespaced=False)
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
_AT_A_TIME = 8


class Cluster:
    """One cluster; what several checks look at is read once."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._objects: asyncio.Task[Fetched] | None = None
        self._pods: asyncio.Task[list[RunningPod]] | None = None

    async def version(self) -> Version | None:
        """The API server's version."""
        return parse_version(json.loads(await self._client.read("/version")))

    async def controllers(self) -> list[Finding]:
        return list(classes.judge_controllers(await self._controllers()))

    async def classes(self) -> list[Finding]:
        objects, controllers = await self._read(), await self._controllers()
        ingresses, known = list(objects.snapshot.all(Ingress)), list(objects.snapshot.all(IngressClass))
        if IngressClass in objects.unread:
            return [_unread("classes", "IngressClasses")]
        return [*classes.judge_classes(known, controllers, ingresses), *classes.judge_unclaimed(ingresses, known, controllers)]

    async def references(self) -> list[Finding]:
        objects, ingresses = await self._served()
        if Service in objects.unread:
            return [_unread("references", "Services")]
        services = {one.key: one for one in objects.snapshot.all(Service)}
        secrets = {one.key: one for one in objects.snapshot.all(Secret)}
        found = list(references.judge_references(ingresses, services, None if Secret in objects.unread else secrets))
        return [*found, *([_unread("references", "Secrets")] if Secret in objects.unread else [])]

    async def certificates(self) -> list[Finding]:
        objects, ingresses = await self._served()
        if Secret in objects.unread:
            return [_unread("certificates", "Secrets")]
        secrets = {one.key: one for one in objects.snapshot.all(Secret)}
        return list(references.judge_certificates(ingresses, secrets, datetime.now(UTC)))

    async def webhooks(self) -> list[Finding]:
        configurations = []
        for plural, kind in (
            ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
            ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
        ):
            found = json.loads(await self._client.read(f"{_WEBHOOKS}/{plural}"))["items"]
            configurations += [{**one, "kind": kind} for one in found or ()]
        objects = await self._read()
        slices = objects.snapshot.all(EndpointSlice)
        ready = {one.service for one in slices if any(end.conditions.ready is not False for end in one.endpoints or ())}
        services = [one.key for one in objects.snapshot.all(Service)]
        return list(webhooks.judge_webhooks(configurations, services, [one for one in ready if one]))

    async def leaders(self) -> list[Finding]:
        found = []
        pods = await self._controller_pods()
        for one in await self._controllers():
            if one.is_remora and not one.is_shadow:
                lease = await self._lease(NamespacedName(one.namespace, one.election))
                running = [pod.metadata.name for pod in pods if pod.metadata.namespace == one.namespace]
                found.append(cluster.judge_lease(one, lease, running, datetime.now(UTC)))
        return found

    async def rights(self) -> list[Finding]:
        """Of the account of every Remora that is there."""
        found: list[Finding] = []
        manifest = _manifest()
        for one in await self._controllers():
            if one.is_remora and not one.is_shadow:
                account = NamespacedName(one.namespace, one.account)
                needed = rights.needed_rights(manifest, account, watched=one.watched)
                try:
                    denied = await self._denied(account, needed)
                except ApiServerRefused as error:
                    if error.status != 403:
                        raise
                    why = "you may not create subjectaccessreviews, so what its account may do cannot be asked"
                    todo = "ask somebody who may: `kubectl auth can-i create subjectaccessreviews`"
                    return [warning("rights", f"{account} is not looked at", why, todo)]
                found += rights.judge_rights(account, needed, denied)
        return found

    async def _denied(self, account: NamespacedName, needed: Sequence[Right]) -> list[Right]:
        limit = asyncio.Semaphore(_AT_A_TIME)

        async def is_denied(right: Right) -> bool:
            async with limit:
                answer = json.loads(await self._client.create(_REVIEWS, "", right.review(account)))
            return not (answer.get("status") or {}).get("allowed", False)

        answers = await asyncio.gather(*map(is_denied, needed))
        return [right for right, denied in zip(needed, answers, strict=True) if denied]

    async def _lease(self, name: NamespacedName) -> Lease | None:
        try:
            return msgspec.json.decode(
                await self._client.read(RESOURCES[Lease].path(name.namespace, quote(name.name))), type=Lease
            )
        except ApiServerRefused as error:
            if error.status == 404:
                return None
            raise

    async def _served(self) -> tuple[Fetched, Sequence[Ingress]]:
        objects = await self._read()
        known = list(objects.snapshot.all(IngressClass))
        return objects, classes.served(objects.snapshot.all(Ingress), known, await self._controllers())

    async def _read(self) -> Fetched:
        if self._objects is None:
            self._objects = asyncio.create_task(read_cluster(self._client))
        return await asyncio.shield(self._objects)

    async def _controllers(self) -> list[ControllerFacts]:
        return list(controllers_of(await self._controller_pods()))

    async def _controller_pods(self) -> list[RunningPod]:
        if self._pods is None:
            self._pods = asyncio.create_task(_pods(self._client))
        return await asyncio.shield(self._pods)


async def _pods(client: ApiClient) -> list[RunningPod]:
    scope = Scope(RunningPod, selector=_SELECTOR)
    pods = [pod async for page in client.list_pages(scope, Decoder(RunningPod)) for pod in page.objects]
    return [pod for pod in pods if isinstance(pod, RunningPod)]


def controllers_of(pods: Sequence[RunningPod]) -> Iterator[ControllerFacts]:
    """The installations that pods belong to. Pure."""
    groups: dict[tuple[str, ...], list[RunningPod]] = defaultdict(list)
    for pod in pods:
        labels = pod.metadata.labels
        if labels.get(_COMPONENT, "controller") == "controller" and not pod.is_finished and pod.spec.containers:
            account = pod.spec.service_account_name or "default"
            groups[pod.metadata.namespace, labels[_NAME], labels.get(_INSTANCE, ""), account].append(pod)
    for (namespace, name, instance, account), members in sorted(groups.items()):
        yield _controller(namespace, instance or f"{name}-controller", account, members, is_remora=name == "remora")


def _controller(namespace: str, name: str, account: str, pods: Sequence[RunningPod], *, is_remora: bool) -> ControllerFacts:
    container = pods[-1].spec.containers[0]
    words = [*container.command, *container.args]
    ingress_class = flag(words, "ingress-class") or "nginx"
    own = flag(words, "controller-class") or INGRESS_NGINX_CONTROLLER
    return ControllerFacts(
        name=f"{namespace}/{name}",
        classes=frozenset({own, REMORA_CONTROLLER} if is_remora else {own}),
        names=classes.names_of(ingress_class, is_remora=is_remora),
        by_name=ingress_class if _is_set(words, "ingress-class-by-name") else "",
        without_class=_is_set(words, "watch-ingress-without-class"),
        is_shadow=_is_set(words, "shadow"),
        is_remora=is_remora,
        pods=len(pods),
        running=sum(_runs(pod) for pod in pods),
        images=frozenset(pod.spec.containers[0].image for pod in pods),
        account=account,
        namespace=namespace,
        watched=flag(words, "watch-namespace"),
        election=flag(words, "election-id") or "ingress-controller-leader",
    )


def flag(words: Sequence[str], name: str) -> str:
    """The value of a flag as Go programs take it; "" if it is not there. Unknown flags are no trouble."""
    for place, word in enumerate(words):
        bare = word.lstrip("-")
        if word.startswith("-") and bare.startswith(f"{name}="):
            return bare.partition("=")[2]
        if word.startswith("-") and bare == name:
            following = words[place + 1] if place + 1 < len(words) else ""
            return "true" if not following or following.startswith("-") else following
    return ""


def _is_set(words: Sequence[str], name: str) -> bool:
    return flag(words, name) not in ("", "false", "False", "FALSE", "f", "F", "0")


def _runs(pod: RunningPod) -> bool:
    statuses = pod.status.container_statuses
    return pod.status.phase == "Running" and bool(statuses) and all(one.ready for one in statuses)


def _manifest() -> list[Any]:
    """The manifest that Remora is installed with; it is part of the package."""
    return list(yaml.safe_load_all(files("remora.cluster").joinpath("manifests/remora.yaml").read_text()))


def _unread(check: str, plural: str) -> Finding:
    why = f"you may not read {plural}"
    return warning(check, "not looked at", why, f"ask somebody who may: `kubectl auth can-i list {plural.lower()} -A`")
