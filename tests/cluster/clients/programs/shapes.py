"""Objects that the programs make, and waiting. `NAMESPACE` is where."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

NAMESPACE = os.environ["TEST_NAMESPACE"]
KUBECONFIG = os.environ["KUBECONFIG"]


def pod(name: str, **labels: str) -> dict[str, Any]:
    container = {"name": "main", "image": "server", "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def deployment(name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name)["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield
