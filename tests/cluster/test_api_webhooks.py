"""Admission webhooks, with a webhook that listens on HTTPS and does what each test asks of it."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from remora.cluster.addresses import Network
from remora.cluster.api.pki import Pki, read_pki
from remora.cluster.bootstrap import CONTROLLER_NAMESPACE, bootstrap
from remora.cluster.entry import LOCALHOST, Entry
from remora.cluster.ports import free_port
from tests.cluster.api_server import HOST, Running, running_api_server
from tests.cluster.test_api_kubectl import Kubectl

GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
SERVICE = "hook.default.svc"

Judge = Callable[[dict[str, Any]], Any]


class Hook:
    """A webhook; `judge` makes the response's fields of a request, `seen` are the requests in their order."""

    def __init__(self, port: int, pki: Pki) -> None:
        self.port = port
        self.ca = base64.b64encode(pki.ca).decode()
        self.seen: list[dict[str, Any]] = []
        self.judge: Judge = lambda request: {"allowed": True}

    async def answer(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.seen.append(review["request"])
        found = self.judge(review["request"])
        if isinstance(found, Awaitable):
            found = await found
        if isinstance(found, web.Response):
            return found
        response = {"uid": review["request"]["uid"], **found}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})

    def configuration(self, kind: str = "Validating", *, path: str = "", **more: Any) -> dict[str, Any]:
        url = f"https://{HOST}:{self.port}/{path}"
        rule = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
        hook = {
            "name": "hook.example.com",
            "clientConfig": {"url": url, "caBundle": self.ca},
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }
        metadata = {"name": f"{kind.lower()}{path}"}
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": metadata,
            "webhooks": [hook],
        }


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_api_server(tmp_path) as running:
        yield running


@pytest.fixture
async def hook(tmp_path: Path) -> AsyncIterator[Hook]:
    pki = read_pki(tmp_path / "hook", (HOST, SERVICE))
    found = Hook(free_port(HOST), pki)
    application = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return await found.answer(request)

    application.router.add_post("/{any:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, found.port, ssl_context=pki.server_context()).start()
    yield found
    await runner.cleanup()


async def ask(api: Running, method: str, path: str, body: Any = None, kind: str = "json") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json" if kind == "json" else f"application/{kind}-patch+json"}
    data = None if body is None else json.dumps(body)
    async with api.session.request(method, path, data=data, headers=headers) as response:
        answer = await response.json(content_type=None)
        return response.status, answer | {"warnings": response.headers.getall("warning", [])}


async def configure(api: Running, configuration: dict[str, Any]) -> None:
    plural = configuration["kind"].lower() + "s"
    status, answer = await ask(api, "POST", f"{GROUP}/{plural}", configuration)
    assert status == 201, answer


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


async def test_a_validating_webhook_sees_every_change_and_may_refuse_it(api: Running, hook: Hook) -> None:
    await configure(api, hook.configuration())
    hook.judge = lambda request: {"allowed": True, "warnings": ["mind the gap"]}
    status, made = await ask(api, "POST", MAPS, config_map("a", k="v"))
    assert (status, made["warnings"]) == (201, ['299 - "mind the gap"'])
    request = hook.seen[0]
    assert request["operation"] == "CREATE"
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert request["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (request["namespace"], request["name"], request["oldObject"]) == ("default", "a", None)
    assert request["object"]["data"] == {"k": "v"}
    assert request["userInfo"]["username"] == "kubernetes-admin"
    hook.judge = lambda request: {"allowed": False, "status": {"code": 403, "message": "not today"}}
    status, refused = await ask(api, "PATCH", f"{MAPS}/a", {"data": {"k": "w"}}, "merge")
    assert (status, refused["message"]) == (403, 'admission webhook "hook.example.com" denied the request: not today')
    assert (hook.seen[-1]["oldObject"]["data"], hook.seen[-1]["object"]["data"]) == ({"k": "v"}, {"k": "w"})
    status, refused = await ask(api, "DELETE", f"{MAPS}/a")
    assert (status, hook.seen[-1]["operation"], hook.seen[-1]["object"]) == (403, "DELETE", None)
    hook.judge = lambda request: {"allowed": False}
    status, refused = await ask(api, "DELETE", MAPS)
    expected = 'admission webhook "hook.example.com" denied the request without explanation'
    assert (status, refused["message"]) == (400, expected)
    assert (api.registry.find("configmaps", "default", "a") or {})["data"] == {"k": "v"}
    # The configuration itself can always be removed, and then nobody is asked.
    assert (await ask(api, "DELETE", f"{GROUP}/validatingwebhookconfigurations/validating"))[0] == 200
    assert (await ask(api, "DELETE", f"{MAPS}/a"))[0] == 200


async def test_mutating_webhooks_change_what_is_stored_in_turn_and_again_if_needed(api: Running, hook: Hook) -> None:
    async def answer(request: web.Request) -> web.Response:
        review = await request.json()
        data = review["request"]["object"].get("data") or {}
        if request.path == "/b":
            response = patch({"op": "add", "path": "/data/second", "value": "2"})
        else:
            response = patch({"op": "add", "path": "/data/seen", "value": ",".join(sorted(data))})
        response["uid"] = review["request"]["uid"]
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})

    hook.answer = answer  # type: ignore[method-assign]
    await configure(api, hook.configuration("Mutating", path="a", reinvocationPolicy="IfNeeded"))
    await configure(api, hook.configuration("Mutating", path="b"))
    status, made = await ask(api, "POST", MAPS, config_map("a", k="v"))
    assert status == 201
    assert made["data"] == {"k": "v", "seen": "k,second,seen", "second": "2"}


async def test_what_a_webhook_makes_wrong_is_refused(api: Running, hook: Hook) -> None:
    await configure(api, hook.configuration("Mutating"))
    hook.judge = lambda request: patch({"op": "add", "path": "/metadata/labels", "value": {"-": "-"}})
    assert (await ask(api, "POST", MAPS, config_map("a")))[0] == 422
    hook.judge = lambda request: patch({"op": "remove", "path": "/nothing"})
    status, refused = await ask(api, "POST", MAPS, config_map("a"))
    assert (status, refused["reason"]) == (500, "InternalError")
    hook.judge = lambda request: {"allowed": True, "uid": "another"}
    status, refused = await ask(api, "POST", MAPS, config_map("a"))
    assert (
        'failed calling webhook "hook.example.com": received invalid webhook response: expected response.uid'
        in (refused["message"])
    )


async def test_a_webhook_that_fails_is_passed_over_only_if_it_may_be(api: Running, hook: Hook) -> None:
    hook.judge = lambda request: web.Response(status=503, text="tired")
    await configure(api, hook.configuration(failurePolicy="Ignore"))
    assert (await ask(api, "POST", MAPS, config_map("a")))[0] == 201
    await configure(api, hook.configuration(path="strict"))
    status, refused = await ask(api, "POST", MAPS, config_map("b"))
    assert status == 500
    assert refused["message"] == (
        'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: '
        'an error on the server ("tired") has prevented the request from succeeding'
    )
    gone = hook.configuration(path="gone")
    gone["webhooks"][0] |= {"clientConfig": {"url": f"https://{HOST}:{free_port(HOST)}/x"}, "name": "gone.example.com"}
    await ask(api, "DELETE", f"{GROUP}/validatingwebhookconfigurations/validatingstrict")
    await configure(api, gone)
    status, refused = await ask(api, "POST", MAPS, config_map("b"))
    assert "connect: connection refused" in refused["message"]
    # The cluster's own kinds without a matching rule are not held up.
    assert (await ask(api, "POST", "/api/v1/namespaces", {"metadata": {"name": "free"}}))[0] == 201


async def test_an_untrusted_certificate_and_silence_are_failures(api: Running, hook: Hook) -> None:
    other = hook.configuration(timeoutSeconds=1)
    other["webhooks"][0]["clientConfig"].pop("caBundle")
    await configure(api, other)
    status, refused = await ask(api, "POST", MAPS, config_map("a"))
    assert (status, "certificate" in refused["message"], hook.seen) == (500, True, [])
    await ask(api, "DELETE", f"{GROUP}/validatingwebhookconfigurations/validating")
    await configure(api, hook.configuration(timeoutSeconds=1))

    async def think(request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}

    hook.judge = think
    status, refused = await ask(api, "POST", MAPS, config_map("a"))
    assert (status, "context deadline exceeded" in refused["message"]) == (500, True)


async def test_a_change_by_somebody_else_while_a_webhook_thinks_is_not_lost(api: Running, hook: Hook) -> None:
    await api.registry.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}, "data": {}})
    await configure(api, hook.configuration())
    writes = ["1"]

    async def judge(request: dict[str, Any]) -> dict[str, Any]:
        if writes:
            assert (await ask(api, "PATCH", f"{MAPS}/a", {"data": {"other": writes.pop()}}, "merge"))[0] == 200
        return {"allowed": True}

    hook.judge = judge
    status, changed = await ask(api, "PATCH", f"{MAPS}/a", {"data": {"mine": "1"}}, "merge")
    assert (status, changed["data"]) == (200, {"other": "1", "mine": "1"})
    assert hook.seen[-1]["oldObject"]["data"] == {"other": "1"}
    writes.append("2")
    status, conflict = await ask(api, "PUT", f"{MAPS}/a", changed | {"data": {"third": "1"}})
    assert (status, conflict["reason"]) == (409, "Conflict")
    writes.append("3")
    assert (await ask(api, "PUT", f"{MAPS}/a", config_map("a", fourth="1")))[1]["data"] == {"fourth": "1"}


async def test_selectors_conditions_and_dry_runs_decide_who_is_asked(api: Running, hook: Hook) -> None:
    condition = {"name": "not-ours", "expression": "!object.metadata.name.startsWith('ours')"}
    named = {"matchLabels": {"kubernetes.io/metadata.name": "default"}}
    await configure(
        api,
        hook.configuration(
            namespaceSelector=named, objectSelector={"matchLabels": {"watched": "yes"}}, matchConditions=[condition]
        ),
    )

    async def make(name: str, namespace: str = "default", **labels: str) -> int:
        body = {"metadata": {"name": name, "labels": labels}}
        path = f"/api/v1/namespaces/{namespace}/configmaps?dryRun=All"
        assert (await ask(api, "POST", path, body))[0] == 201
        return len(hook.seen)

    assert await make("a") == 0
    assert await make("a", "kube-system", watched="yes") == 0
    assert await make("ours-a", watched="yes") == 0
    assert await make("a", watched="yes") == 1
    assert hook.seen[0]["dryRun"] is True


async def test_an_old_version_is_shown_as_the_one_that_the_rule_names(api: Running, hook: Hook) -> None:
    rule = {"operations": ["CREATE"], "apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "resources": ["ingresses"]}
    await configure(api, hook.configuration(rules=[rule]))
    spec = {"backend": {"serviceName": "web", "servicePort": 80}}
    body = {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "old"}, "spec": spec}
    status, made = await ask(api, "POST", "/apis/extensions/v1beta1/namespaces/default/ingresses", body)
    assert (status, made["apiVersion"]) == (201, "extensions/v1beta1")
    assert hook.seen[0]["object"]["spec"] == {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    assert hook.seen[0]["requestKind"] == {"group": "extensions", "version": "v1beta1", "kind": "Ingress"}


async def test_scale_and_eviction_are_subresources_with_objects_of_their_own(api: Running, hook: Hook) -> None:
    rules = [
        {"operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["*"], "resources": ["*/scale"]},
        {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/eviction"]},
    ]
    await configure(api, hook.configuration(rules=rules))
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "example:1"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    path = "/apis/apps/v1/namespaces/default/deployments"
    assert (await ask(api, "POST", path, {"metadata": {"name": "web"}, "spec": spec}))[0] == 201
    assert hook.seen == []
    assert (await ask(api, "PATCH", f"{path}/web/scale", {"spec": {"replicas": 3}}, "merge"))[0] == 200
    assert (hook.seen[0]["subResource"], hook.seen[0]["object"]["spec"]) == ("scale", {"replicas": 3})
    assert hook.seen[0]["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    pods = "/api/v1/namespaces/default/pods"
    await ask(api, "POST", pods, {"metadata": {"name": "p"}, "spec": template["spec"]})
    hook.judge = lambda request: {"allowed": False, "status": {"message": "stay"}}
    status, _ = await ask(api, "POST", f"{pods}/p/eviction", {"metadata": {"name": "p"}})
    assert (status, hook.seen[-1]["kind"]["kind"]) == (400, "Eviction")
    assert api.registry.find("pods", "default", "p") is not None


async def test_configurations_get_defaults_and_are_checked(api: Running, hook: Hook) -> None:
    bad = hook.configuration(name="short", sideEffects="Some", timeoutSeconds=60, admissionReviewVersions=["v0"])
    bad["webhooks"][0]["rules"][0]["apiGroups"] = ["*", "apps"]
    bad["webhooks"][0]["matchConditions"] = [{"name": "x", "expression": "object."}]
    status, refused = await ask(api, "POST", f"{GROUP}/validatingwebhookconfigurations", bad)
    assert status == 422
    assert {cause["field"].removeprefix("webhooks[0].") for cause in refused["details"]["causes"]} == {
        "name",
        "sideEffects",
        "timeoutSeconds",
        "admissionReviewVersions",
        "rules[0].apiGroups",
        "matchConditions[0].expression",
    }
    status, made = await ask(api, "POST", f"{GROUP}/mutatingwebhookconfigurations", hook.configuration("Mutating"))
    found = made["webhooks"][0]
    assert (found["failurePolicy"], found["matchPolicy"], found["timeoutSeconds"]) == ("Fail", "Equivalent", 10)
    assert (found["reinvocationPolicy"], found["rules"][0]["scope"]) == ("Never", "*")


async def test_a_webhook_that_refuses_everything_keeps_no_cluster_from_beginning(api: Running, hook: Hook) -> None:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    hook.judge = lambda request: {"allowed": False}
    await configure(api, hook.configuration(rules=[everything]))
    assert (await ask(api, "POST", "/api/v1/namespaces", {"metadata": {"name": "new"}}))[0] == 400
    entry = Entry(LOCALHOST, 8080, 8443)
    await bootstrap(api.registry, network=Network(0), entry=entry, api_port=6443, may_bind_low_ports=False)
    assert api.registry.find("deployments.apps", CONTROLLER_NAMESPACE, "remora-controller") is not None
    assert (await ask(api, "DELETE", f"{GROUP}/validatingwebhookconfigurations/validating"))[0] == 200


async def test_a_command_in_a_pod_is_a_connection_to_review(api: Running, hook: Hook) -> None:
    rule = {"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/exec"]}
    await configure(api, hook.configuration(rules=[rule]))
    hook.judge = lambda request: {"allowed": False, "status": {"message": "no shells"}}
    path = "/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l&container=c&stdout=true"
    status, refused = await ask(api, "POST", path)
    assert (status, "no shells" in refused["message"]) == (400, True)
    assert (hook.seen[0]["operation"], hook.seen[0]["subResource"], hook.seen[0]["name"]) == ("CONNECT", "exec", "p")
    expected = {"kind": "PodExecOptions", "apiVersion": "v1", "command": ["ls", "-l"], "container": "c", "stdout": True}
    assert hook.seen[0]["object"] == expected


INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: bad
spec:
  ingressClassName: nginx
  rules:
  - host: example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""


@pytest.mark.kubectl
async def test_remora_s_own_webhook_refuses_a_bad_ingress_of_kubectl(api: Running, tmp_path: Path) -> None:
    pki = read_pki(tmp_path / "hook", (HOST, "remora.default.svc"))
    spec = {"ports": [{"port": 443}]}
    service = await api.registry.create("services", {"metadata": {"name": "remora", "namespace": "default"}, "spec": spec})
    address, port = service["spec"]["clusterIP"], free_port(HOST)
    await api.registry.update("services", {**service, "spec": {**service["spec"], "ports": [{"port": port}]}})
    command = ("-m", "remora", "webhook", f"--kubeconfig={api.kubeconfig}", f"--validating-webhook={address}:{port}")
    files = (
        f"--validating-webhook-certificate={pki.directory}/server.crt",
        f"--validating-webhook-key={pki.directory}/server.key",
    )
    process = await asyncio.create_subprocess_exec(sys.executable, *command, *files)
    ingress_class = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    await api.registry.create("ingressclasses.networking.k8s.io", ingress_class)
    try:
        kubectl = Kubectl(api, tmp_path)
        await kubectl("apply", "-f", "-", given=json.dumps(_own_configuration(pki, port)))
        good = INGRESS.replace("name: bad", "name: good")
        async with asyncio.timeout(30):
            while (await kubectl.tried("apply", "-f", "-", given=good))[0]:
                await asyncio.sleep(0.1)
        code, _, err = await kubectl.tried("apply", "-f", "-", given=INGRESS)
        assert code == 1
        verdict = 'host "example.com" and path "/" is already defined in Ingress default/good'
        assert f'admission webhook "validate.remora.io" denied the request: {verdict}' in err
        assert api.registry.find("ingresses.networking.k8s.io", "default", "bad") is None
    finally:
        process.terminate()
        await process.wait()


def _own_configuration(pki: Pki, port: int) -> dict[str, Any]:
    rule = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": ["networking.k8s.io"],
        "apiVersions": ["v1"],
        "resources": ["ingresses"],
    }
    client = {
        "service": {"name": "remora", "namespace": "default", "path": "/networking/v1/ingresses", "port": port},
        "caBundle": base64.b64encode(pki.ca).decode(),
    }
    hook = {
        "name": "validate.remora.io",
        "clientConfig": client,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "remora"},
        "webhooks": [hook],
    }


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (patch({"op": "replace", "path": "/metadata/name", "value": "other"}), "metadata.name: Invalid value"),
        (patch({"op": "add", "path": "/data", "value": {"k": 5}}), "cannot unmarshal number"),
        (patch({"op": "replace", "path": "/metadata/labels", "value": "none"}), "cannot unmarshal string"),
        (
            patch({"op": "add", "path": "/x", "value": ["y" * 999]}, *[{"op": "copy", "from": "/x", "path": "/x/-"}] * 50),
            "limit",
        ),
        ({"allowed": False, "status": "no"}, "response.status"),
        ({"allowed": True, "warnings": 5}, "response.warnings"),
    ],
)
async def test_a_webhook_cannot_spoil_what_is_stored(api: Running, hook: Hook, answer: dict[str, Any], why: str) -> None:
    status, made = await ask(api, "POST", MAPS, config_map("a", k="v") | {"metadata": {"name": "a", "labels": {"a": "b"}}})
    assert status == 201, made
    await configure(api, hook.configuration("Mutating"))
    hook.judge = lambda request: answer
    status, refused = await ask(api, "PATCH", f"{MAPS}/a", {"data": {"k": "w"}}, "merge")
    assert (status in (422, 500), why in refused["message"]) == (True, True), refused
    status, listed = await ask(api, "GET", MAPS)
    assert [(found["metadata"]["name"], found["data"]) for found in listed["items"]] == [("a", {"k": "v"})]
