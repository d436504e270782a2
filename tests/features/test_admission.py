"""The admission webhook of a controller, and on its own, as processes that are asked by HTTPS."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.features.test_controller_end_to_end import Bench, answers, bench, eventually
from tests.features.test_controller_end_to_end import _end as end
from tests.features.test_controller_end_to_end import _ingress as ingress
from tests.support.certificates import self_signed
from tests.support.proxy import free_ports

__all__ = ["bench"]


class Webhook:
    """Flags for a webhook, and a way to ask it."""

    def __init__(self, directory: Path) -> None:
        self.port = free_ports(1)[0]
        pem = directory / "webhook.pem"
        pem.write_bytes(self_signed("webhook.test"))
        self.flags = (
            f"--validating-webhook=127.0.0.1:{self.port}",
            f"--validating-webhook-certificate={pem}",
            f"--validating-webhook-key={pem}",
        )

    async def ask(self, obj: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status, 0 if nobody answers, and the response."""
        kind = {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress"}
        meta = {"uid": "0c5e0a1c-1111-4222-8333-444455556666", **obj["metadata"]}
        request = {"uid": "r1", "kind": kind, "operation": "CREATE", "object": {**obj, "metadata": meta}}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
                session.post(f"https://127.0.0.1:{self.port}/networking/v1/ingresses", json=review) as response,
            ):
                body = await response.read()
                return response.status, json.loads(body)["response"] if response.status == 200 else {}
        except aiohttp.ClientError:
            return 0, {}

    async def answers(self) -> bool:
        return (await self.ask(ingress("any", "any.test")))[0] == 200


@pytest.fixture
def webhook(tmp_path: Path) -> Webhook:
    return Webhook(tmp_path)


async def judges(webhook: Webhook) -> None:
    """Says the same wherever it runs; shop/web has web.test."""
    assert (await webhook.ask(ingress("other", "other.test")))[1] == {"uid": "r1", "allowed": True}
    _, refused = await webhook.ask(ingress("second", "web.test"))
    assert refused["allowed"] is False
    assert "shop/web" in refused["status"]["message"]
    closed = {"nginx.ingress.kubernetes.io/allowlist-source-range": "everybody"}
    assert (await webhook.ask(ingress("other", "other.test", annotations=closed)))[1]["allowed"] is False
    odd = {"nginx.ingress.kubernetes.io/proxy-read-timeout": "soon"}
    _, warned = await webhook.ask(ingress("other", "other.test", annotations=odd))
    assert warned["allowed"] is True
    assert "proxy-read-timeout" in warned["warnings"][0]


async def test_a_controller_reviews_by_what_it_serves(bench: Bench, webhook: Webhook) -> None:
    await bench.set_pods("a")
    bench.api.put("ingresses", ingress("web", "web.test"))
    async with bench.controller(*webhook.flags) as controller:
        await answers(controller, "web.test")
        await eventually(webhook.answers)
        await judges(webhook)
        assert await controller.kill(signal.SIGTERM) == 0


@asynccontextmanager
async def standing_alone(bench: Bench, *flags: str) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("-m", "remora", "webhook", f"--kubeconfig={bench.kubeconfig()}", *flags)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, env=dict(os.environ))
    try:
        yield process
    finally:
        await end(process)


async def test_a_webhook_of_its_own_says_the_same_and_runs_no_haproxy(bench: Bench, webhook: Webhook) -> None:
    bench.api.put("ingresses", ingress("web", "web.test"))
    async with standing_alone(bench, *webhook.flags) as process:
        await eventually(webhook.answers)
        await judges(webhook)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not list(Path(bench.settings.state_directory).glob("*.cfg"))
