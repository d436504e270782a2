"""One look at a cluster, with and without the rights to read everything."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from remora.cli.fetch import fetch_cluster
from remora.cli.main import app
from remora.core.errors import ApiServerRefused
from remora.core.names import NamespacedName
from remora.kube.objects import Ingress
from tests.support.api import FakeApi, running_api

KEY = b"0123456789abcdef"


def ingress(name: str, **annotations: str) -> dict[str, Any]:
    written = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
    return {
        "metadata": {"name": name, "namespace": "shop", "annotations": written, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": f"{name}.example", "http": {"paths": [path]}}]},
    }


def fill(api: FakeApi) -> None:
    api.put("ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    api.put("ingresses", ingress("one", affinity="cookie"))
    api.put("ingresses", ingress("two", affinity="sticky"))
    api.put("services", {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"port": 80}]}})
    metadata = {"name": "remora-session-key", "namespace": "ingress-remora"}
    api.put("secrets", {"metadata": metadata, "data": {"key": base64.b64encode(KEY).decode()}})


def kubeconfig(api: FakeApi, directory: Path) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path = directory / "config"
    path.write_text(json.dumps(config))
    return str(path)


async def test_a_cluster_is_read_with_its_session_key(tmp_path: Path) -> None:
    async with running_api() as api:
        fill(api)
        fetched = await asyncio.to_thread(fetch_cluster, kubeconfig(api, tmp_path), "")
    assert fetched.snapshot.find(Ingress, NamespacedName("shop", "one"))
    assert (fetched.session_key, fetched.notes) == (KEY, ())


async def test_what_may_not_be_read_is_noted_but_for_the_ingresses(tmp_path: Path) -> None:
    async with running_api() as api:
        fill(api)
        api.forbidden = {"secrets"}
        fetched = await asyncio.to_thread(fetch_cluster, kubeconfig(api, tmp_path), "")
        api.forbidden = {"ingresses"}
        with pytest.raises(ApiServerRefused):
            await asyncio.to_thread(fetch_cluster, kubeconfig(api, tmp_path), "")
    assert fetched.session_key is None
    assert [note.partition(" ")[0] for note in fetched.notes] == ["secrets", "Secret"]


async def test_the_commands_look_at_the_cluster(tmp_path: Path) -> None:
    async with running_api() as api:
        fill(api)
        config = kubeconfig(api, tmp_path)

        def run(*arguments: str) -> tuple[int, Any]:
            result = CliRunner().invoke(app, [*arguments, "--kubeconfig", config, "--output", "json"])
            return result.exit_code, json.loads(result.stdout)

        checked = await asyncio.to_thread(run, "check", "--cluster")
        explained = await asyncio.to_thread(run, "explain", "http://one.example/")
        listed = await asyncio.to_thread(run, "routes", "two.example")
    assert checked[0] == 1
    assert [(one["ingress"], one["verdict"]) for one in checked[1]["findings"]] == [("one", "honoured"), ("two", "refused")]
    assert (explained[0], explained[1]["answer"]) == (0, "503: no pod takes requests")
    assert [row["ingress"] for row in listed[1]] == ["shop/two"]
