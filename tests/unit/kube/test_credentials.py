from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.typedefs import Handler

from remora.core.errors import ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.credentials import connect, from_kubeconfig, in_cluster, kubeconfig_paths
from remora.kube.objects import Ingress
from tests.support.certificates import self_signed


@pytest.fixture
def account(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "ca.crt").write_bytes(self_signed("api.test"))
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("ingress-remora")
    return {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
        "REMORA_SERVICE_ACCOUNT_DIR": str(tmp_path),
    }


def _kubeconfig(path: Path, **user: object) -> str:
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


async def test_a_pod_uses_its_own_account_and_reads_a_replaced_token_again(account: dict[str, str]) -> None:
    connection = await connect("", "", account)
    assert (connection.server, connection.namespace) == ("https://127.0.0.1:6443", "ingress-remora")
    assert await connection.authorize() == "Bearer first"
    token = Path(account["REMORA_SERVICE_ACCOUNT_DIR"]) / "token"
    token.with_suffix(".new").write_text("second")
    token.with_suffix(".new").replace(token)
    assert await connection.authorize() == "Bearer second"
    token.unlink()
    assert await connection.authorize() == "Bearer second"


def test_an_ipv6_address_is_put_in_brackets(account: dict[str, str]) -> None:
    assert in_cluster({**account, "KUBERNETES_SERVICE_HOST": "fd00::1"}).server == "https://[fd00::1]:6443"


def test_a_missing_certificate_authority_is_named(account: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(ConfigurationError, match=r"ca\.crt"):
        in_cluster(account)


def test_outside_a_pod_the_kubeconfig_is_asked_for() -> None:
    with pytest.raises(ConfigurationError, match="--kubeconfig"):
        in_cluster({})


def test_a_given_file_goes_before_the_variable() -> None:
    assert kubeconfig_paths("a", {"KUBECONFIG": "b:c"}) == "a"
    assert kubeconfig_paths("", {"KUBECONFIG": "b:c"}) == "b:c"
    assert kubeconfig_paths("", {}).endswith("/.kube/config")


async def test_a_token_of_a_kubeconfig_is_sent(tmp_path: Path) -> None:
    connection = await from_kubeconfig(_kubeconfig(tmp_path / "config", token="t"))
    assert (connection.server, await connection.authorize()) == ("http://127.0.0.1:1", "Bearer t")


async def test_an_exec_plugin_is_asked_for_a_token(tmp_path: Path) -> None:
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"fresh"}}'
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "/bin/echo",
        "args": [credential],
    }
    connection = await from_kubeconfig(_kubeconfig(tmp_path / "config", exec=plugin))
    assert await connection.authorize() == "Bearer fresh"


async def test_a_proxy_of_a_kubeconfig_is_gone_through(tmp_path: Path) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.json_response({"metadata": {"name": "web"}})

    runner = web.AppRunner(_catching_all(answer), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        path = _kubeconfig(tmp_path / "config", token="t")
        config = yaml.safe_load(Path(path).read_text())
        config["clusters"][0]["cluster"]["proxy-url"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        Path(path).write_text(yaml.safe_dump(config))
        async with ApiClient.open(await from_kubeconfig(path)) as client:
            found = await client.fetch(Ingress, NamespacedName("shop", "web"))
    finally:
        await runner.cleanup()
    assert found.metadata.name == "web"
    assert asked == ["http://127.0.0.1:1/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web"]


def _catching_all(answer: Handler) -> web.Application:
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    return application


async def test_files_are_merged_and_missing_ones_passed_over(tmp_path: Path) -> None:
    path = _kubeconfig(tmp_path / "config", token="t")
    assert (await from_kubeconfig(f"{tmp_path}/none:{path}")).server == "http://127.0.0.1:1"


async def test_what_is_wrong_in_a_kubeconfig_is_named_with_its_file(tmp_path: Path) -> None:
    path = _kubeconfig(tmp_path / "config", token="t")
    with pytest.raises(ConfigurationError, match=r"config.*no context two; it has one"):
        await from_kubeconfig(path, "two")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        await from_kubeconfig(f"{tmp_path}/none")
    (tmp_path / "config").write_text("{")
    with pytest.raises(ConfigurationError, match="not YAML"):
        await from_kubeconfig(path)
