"""`pods/proxy`: what the API server passes on to a pod."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.cluster.api_server import Running, running_api_server


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_api_server(tmp_path) as running:
        yield running


@pytest.fixture
async def port(api: Running) -> AsyncIterator[int]:
    """That of a pod called `web`, which says what it was asked."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/redirect":
            raise web.HTTPFound("/there")
        given = request.headers.get("Authorization", "nothing")
        text = f"{request.method} {request.raw_path} with {given}\n{await request.text()}"
        return web.Response(status=418 if "x=1" in request.raw_path else 200, text=text)

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found: int = runner.addresses[0][1]
    container = {"name": "c", "image": "example:1", "ports": [{"containerPort": found}]}
    pod = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"containers": [container]}}
    made = await api.registry.create("pods", pod)
    await api.registry.update("pods", {**made, "status": {"podIP": "127.0.0.1"}}, subresource="status")
    yield found
    await runner.cleanup()


async def asked(api: Running, path: str, method: str = "GET") -> tuple[int, str]:
    async with api.session.request(method, f"/api/v1/namespaces/default/pods/{path}") as response:
        return response.status, await response.text()


async def test_a_get_comes_to_the_pod_and_its_answer_back(api: Running, port: int) -> None:
    assert await asked(api, f"web:{port}/proxy/a/b%2Fc?x=1") == (418, "GET /a/b%2Fc?x=1 with nothing\n")


async def test_the_first_port_of_the_pod_is_meant_if_none_is_named(api: Running, port: int) -> None:
    assert await asked(api, "web/proxy/") == (200, "GET / with nothing\n")
    assert await asked(api, "web/proxy") == (200, "GET / with nothing\n")


async def test_who_asks_stays_with_the_api_server(api: Running, port: int) -> None:
    await api.registry.create("serviceaccounts", {"metadata": {"name": "reader", "namespace": "default"}})
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}],
    }
    await api.registry.create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    token = api.tokens.issue("default", "reader", "", lifetime=600)
    headers = {"Authorization": f"Bearer {token}"}
    async with api.session.get("/api/v1/namespaces/default/pods/web/proxy/", headers=headers) as response:
        assert await response.text() == "GET / with nothing\n"


async def test_a_pod_that_is_not_there_or_has_no_address_or_does_not_answer_says_so(api: Running, port: int) -> None:
    status, text = await asked(api, "nobody/proxy/")
    assert (status, '"nobody\\" not found' in text) == (404, True)
    pod = {"metadata": {"name": "new", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "example:1"}]}}
    await api.registry.create("pods", pod)
    assert (await asked(api, "new/proxy/"))[0] == 400
    status, text = await asked(api, "web:1/proxy/")
    assert (status, "error trying to reach service" in text) == (503, True)


async def test_other_methods_are_passed_on_with_their_body(api: Running, port: int) -> None:
    path = "/api/v1/namespaces/default/pods/web/proxy/form"
    async with api.session.post(path, data=b"a=1", headers={"Content-Type": "application/x-www-form-urlencoded"}) as response:
        assert await response.text() == "POST /form with nothing\na=1"
    assert await asked(api, "web/proxy/gone", "DELETE") == (200, "DELETE /gone with nothing\n")


async def test_a_redirect_stays_within_the_proxy(api: Running, port: int) -> None:
    path = "/api/v1/namespaces/default/pods/web/proxy/"
    async with api.session.get(f"{path}redirect", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, f"{path}there")


async def test_a_service_s_request_goes_to_one_of_its_ready_pods(api: Running, port: int) -> None:
    service = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    await api.registry.create("services", service)
    path = "/api/v1/namespaces/default/services/web:http/proxy/a"
    async with api.session.get(path) as response:
        assert (response.status, "no endpoints available" in await response.text()) == (503, True)
    endpoints = [
        {"addresses": ["127.0.0.9"], "conditions": {"ready": False}},
        {"addresses": ["127.0.0.1"], "conditions": {"ready": True}},
    ]
    metadata = {"name": "web-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}
    ports = [{"name": "http", "port": port, "protocol": "TCP"}]
    made = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints, "ports": ports}
    await api.registry.create("endpointslices.discovery.k8s.io", made)
    for name in ("web:http", "web:80", "web"):
        async with api.session.get(f"/api/v1/namespaces/default/services/{name}/proxy/a") as response:
            assert await response.text() == "GET /a with nothing\n"
    async with api.session.get("/api/v1/namespaces/default/services/web:other/proxy/a") as response:
        assert (response.status, "no service port" in await response.text()) == (503, True)


async def test_a_node_tells_its_health_and_its_pods(api: Running, port: int) -> None:
    await api.registry.create("nodes", {"metadata": {"name": "remora"}})
    async with api.session.get("/api/v1/nodes/remora/proxy/healthz") as response:
        assert await response.text() == "ok"
    async with api.session.get("/api/v1/nodes/remora/proxy/pods") as response:
        assert (await response.json())["kind"] == "PodList"
    async with api.session.get("/api/v1/nodes/remora/proxy/run/a") as response:
        assert response.status == 404


@pytest.mark.kubectl
async def test_kubectl_reads_a_pod_s_page_by_its_raw_path(api: Running, port: int, tmp_path: Path) -> None:
    path = f"/api/v1/namespaces/default/pods/web:{port}/proxy/sessions"
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig), "HOME": str(tmp_path)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("kubectl", "get", "--raw", path, env=environment, stdout=pipe, stderr=pipe)
    output, complaint = await process.communicate()
    assert output == b"GET /sessions with nothing\n", complaint
