"""The admission webhook on its own: it follows what it judges by, and runs no HAProxy."""

import asyncio
import logging
import random
import signal

import msgspec

from remora.controller.cache import Cache
from remora.controller.webhook import Judge, WebhookSettings, reviewing
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import connect
from remora.kube.objects import ConfigMap, Ingress, IngressClass
from remora.kube.reflector import Reflector, Relisted, Told
from remora.kube.resources import Scope, one

_log = logging.getLogger(__name__)


class WebhookRun(msgspec.Struct, frozen=True, kw_only=True):
    """What flags say."""

    webhook: WebhookSettings
    kubeconfig: str = ""
    context: str = ""
    watch_namespace: str = ""
    configmap: NamespacedName | None = None


def run_webhook(settings: WebhookRun, judge: Judge) -> None:
    """Answers reviews until SIGTERM or SIGINT.

    Raises:
        RemoraError: the surroundings are broken in a way that waiting does not mend.
    """
    asyncio.run(_run(settings, judge))


async def _run(settings: WebhookRun, judge: Judge) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    scopes = [Scope(Ingress, settings.watch_namespace), Scope(IngressClass)]
    scopes += [one(ConfigMap, settings.configmap)] if settings.configmap else []
    cache = Cache(scopes)

    async def take(told: Relisted | Told) -> None:
        cache.take(told)
        cache.take_changes()

    connection = await connect(settings.kubeconfig, settings.context)
    async with (
        ApiClient.open(connection) as client,
        reviewing(settings.webhook, judge, read_snapshot=lambda: cache.whole_snapshot),
    ):
        _log.info("reviewing for %s", connection.server)
        tasks = [asyncio.create_task(Reflector(client, scope, sink=take, jitter=random.random).run()) for scope in scopes]
        await stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
