"""Custom resources with the real kubectl: definitions, what they allow, and what goes with them when they go."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remora.cluster.api.custom.definitions import Definitions
from remora.cluster.api.parsing import load_yaml
from remora.cluster.api.registry import Registry
from remora.cluster.store import Store
from tests.cluster.api_server import Running, running_api_server
from tests.cluster.small_cluster import small_cluster, until
from tests.cluster.test_api_kubectl import Kubectl, columns

GATEWAY_API = Path(__file__).parents[2].parent / "shared" / "data" / "gateway-api"
PATIENCE = 30

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size, labelSelectorPath: .status.selector}
    selectableFields: [{jsonPath: .spec.color}]
    additionalPrinterColumns:
    - {name: Color, type: string, jsonPath: .spec.color}
    - {name: Size, type: integer, jsonPath: .spec.size, priority: 1}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        description: A thing.
        required: [spec]
        properties:
          spec:
            type: object
            description: What is wanted.
            required: [color]
            x-kubernetes-validations:
            - {rule: "self.size <= 10 || self.color != 'red'", messageExpression: "'at most 10, not ' + string(self.size)"}
            - {rule: "self.color == oldSelf.color", message: color is immutable}
            properties:
              color: {type: string, enum: [red, blue], description: Its color.}
              size: {type: integer, minimum: 0, maximum: 100, default: 3}
              port: {x-kubernetes-int-or-string: true}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, weight: {type: integer, default: 1}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""

ROUTED = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: c}
spec: {controllerName: example.com/c}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: c
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{name: g}]
  rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]
"""


def widget(name: str = "a", *, parts: tuple[str, ...] = (), more: dict[str, Any] | None = None, **spec: Any) -> str:
    wanted = {"color": "red", **({"parts": [{"name": part} for part in parts]} if parts else {}), **spec}
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": wanted, **(more or {})}
    return json.dumps(obj)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubectl(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kubectl]:
    directory = tmp_path_factory.mktemp("crds")
    async with running_api_server(directory) as api:
        yield Kubectl(api, directory)


async def define(kubectl: Kubectl, plural: str = "widgets") -> None:
    """Widgets, or the same under another name, established."""
    other = WIDGETS.replace("widget", plural.removesuffix("s")).replace("Widget", plural.removesuffix("s").title())
    await kubectl("apply", "-f", "-", given=other.replace("[wd]", "[wd]" if plural == "widgets" else "[]"))
    await kubectl("wait", "--for=condition=Established", f"crd/{plural}.example.com", f"--timeout={PATIENCE}s")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def widgets(kubectl: Kubectl) -> Kubectl:
    await define(kubectl)
    return kubectl


async def refused(kubectl: Kubectl, *arguments: str, given: str = "") -> str:
    code, _, err = await kubectl.tried(*arguments, given=given)
    assert code == 1, err
    return err


def patch(**spec: Any) -> tuple[str, ...]:
    return ("patch", "widget", "a", "--type=merge", "-p", json.dumps({"spec": spec}))


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
async def test_custom_resources_are_discovered_explained_and_listed(widgets: Kubectl) -> None:
    assert "wd" in await widgets("api-resources", "--api-group=example.com")
    explained = await widgets("explain", "widgets.spec.color")
    assert {"red", "blue"} <= set(explained.split())
    assert "Its color." in explained
    await widgets("create", "-f", "-", given=widget("d"))
    assert columns(await widgets("get", "wd")) == ["NAME", "COLOR", "READY", "AGE"]
    assert columns(await widgets("get", "wd", "-o", "wide")) == ["NAME", "COLOR", "SIZE", "READY", "AGE"]
    assert "widget.example.com/d" in await widgets("get", "all")
    assert await widgets("get", "wd", "--field-selector", "spec.color=blue", "-o", "name") == ""
    assert "widget.example.com/d" in await widgets("get", "wd", "--field-selector", "spec.color=red", "-o", "name")
    assert "field label not supported: spec.size" in await refused(widgets, "get", "wd", "--field-selector", "spec.size=3")
    _, old, warning = await widgets.tried("get", "widgets.v1beta1.example.com", "d", "-o", "json")
    assert json.loads(old)["apiVersion"] == "example.com/v1beta1"
    assert "example.com/v1beta1 Widget is deprecated" in warning


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
async def test_schemas_default_prune_and_refuse(widgets: Kubectl) -> None:
    unknown = widget(parts=("x",), nonsense=1)
    assert 'unknown field "spec.nonsense"' in await refused(widgets, "create", "-f", "-", given=unknown)
    _, out, err = await widgets.tried("create", "--validate=warn", "-f", "-", given=unknown)
    assert "created" in out
    assert 'unknown field "spec.nonsense"' in err
    made = await widgets.json("get", "widget", "a")
    assert made["spec"] == {"color": "red", "size": 3, "parts": [{"name": "x", "weight": 1}]}
    wrong = await refused(widgets, *patch(color="green", size="x", port=[]))
    assert 'spec.color: Unsupported value: "green": supported values: "red", "blue"' in wrong
    assert 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"' in wrong
    assert "some validation rules were not checked" in wrong
    assert "spec: Invalid value: at most 10, not 50" in await refused(widgets, *patch(size=50))
    assert "spec: Invalid value: color is immutable" in await refused(widgets, *patch(color="blue"))
    assert "not supported" in await refused(widgets, "patch", "widget", "a", "--type=strategic", "-p", '{"spec": {}}')


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
async def test_status_and_scale_are_parts_of_their_own(widgets: Kubectl) -> None:
    await widgets("create", "-f", "-", given=widget("b", more={"status": {"size": 9}}))
    assert "status" not in await widgets.json("get", "widget", "b")
    assert "scaled" in await widgets("scale", "widget", "b", "--replicas=7")
    ready = json.dumps({"status": {"size": 2, "conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"size": 1}})
    await widgets("patch", "widget", "b", "--subresource=status", "--type=merge", "-p", ready)
    changed = await widgets.json("get", "widget", "b")
    assert changed["spec"]["size"] == 7
    assert changed["status"]["size"] == 2
    assert changed["metadata"]["generation"] == 2
    assert "True" in await widgets("get", "widget", "b")
    scale = json.loads(await widgets("get", "--raw", "/apis/example.com/v1/namespaces/default/widgets/b/scale"))
    assert (scale["spec"], scale["status"]) == ({"replicas": 7}, {"replicas": 2})


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
async def test_applying_on_the_server_merges_lists_by_their_keys(widgets: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    await widgets(*apply, "one", given=widget("s", parts=("x",)))
    await widgets(*apply, "two", given=widget("s", parts=("y",)))
    both = await widgets.json("get", "widget", "s")
    assert [part["name"] for part in both["spec"]["parts"]] == ["x", "y"]
    assert "conflict" in await refused(widgets, *apply, "three", given=widget("s", color="blue"))


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(not GATEWAY_API.exists(), reason="the Gateway API's definitions are not here")
async def test_the_gateway_api_installs_and_its_rules_hold(kubectl: Kubectl) -> None:
    _, _, warnings = await kubectl.tried("apply", "-f", str(GATEWAY_API / "standard"))
    assert warnings == ""
    for name in ("gateway.networking.k8s.io_httproutes", "gateway.networking.x-k8s.io_xbackends"):
        file = GATEWAY_API / "experimental" / f"{name}.yaml"
        await kubectl("apply", "--server-side", "--force-conflicts", "-f", str(file))
    await kubectl("wait", "--for=condition=Established", "crd", "--all", f"--timeout={PATIENCE}s")
    assert (await kubectl("apply", "-f", "-", given=ROUTED)).count("created") == 3
    route = await kubectl.json("get", "httproute", "r")
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/a"}}]
    assert columns(await kubectl("get", "gateway")) == ["NAME", "CLASS", "ADDRESS", "PROGRAMMED", "AGE"]
    twice = ROUTED.replace("listeners: [", "listeners: [{name: other, port: 80, protocol: HTTP}, ")
    assert "must be unique" in await refused(kubectl, "apply", "-f", "-", given=twice)
    relative = await refused(kubectl, "apply", "-f", "-", given=ROUTED.replace("value: /a", "value: a"))
    assert "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']" in relative


@pytest.mark.kubectl
@pytest.mark.asyncio(loop_scope="module")
async def test_a_definition_takes_its_objects_and_their_watches_with_it(kubectl: Kubectl) -> None:
    await define(kubectl, "gadgets")
    held = widget(more={"kind": "Gadget", "metadata": {"name": "a", "finalizers": ["example.com/f"]}})
    await kubectl("create", "-f", "-", given=held)
    async with kubectl.api.session.get("/apis/example.com/v1/gadgets?watch=true") as watch:
        await kubectl("delete", "crd", "gadgets.example.com", "--wait=false")
        terminating = await kubectl.json("get", "crd", "gadgets.example.com")
        assert "customresourcecleanup.apiextensions.k8s.io" in terminating["metadata"]["finalizers"]
        await kubectl("patch", "gadget", "a", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        lines = (await asyncio.wait_for(watch.read(), PATIENCE)).splitlines()
    assert json.loads(lines[-1])["type"] == "DELETED"
    await kubectl("wait", "--for=delete", "crd/gadgets.example.com", f"--timeout={PATIENCE}s")
    assert "the server could not find the requested resource" in await refused(kubectl, "get", "gadgets.v1.example.com")
    assert kubectl.api.registry.list("gadgets.example.com")[0] == []


async def _defined(registry: Registry) -> dict[str, Any]:
    return await registry.create("customresourcedefinitions.apiextensions.k8s.io", load_yaml(WIDGETS.encode()))


async def test_the_garbage_collector_and_namespaces_see_custom_resources(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        registry = cluster.registry
        following = asyncio.create_task(Definitions(registry).run())
        await _defined(registry)
        await until(lambda: registry.resources.stored("widgets.example.com"))
        await registry.create("namespaces", {"metadata": {"name": "other"}})
        owner = await registry.create(
            "widgets.example.com", {**json.loads(widget()), "metadata": {"name": "a", "namespace": "default"}}
        )
        await registry.create("widgets.example.com", {**json.loads(widget()), "metadata": {"name": "b", "namespace": "other"}})
        reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "a", "uid": owner["metadata"]["uid"]}
        metadata = {"name": "owned", "namespace": "default", "ownerReferences": [reference]}
        await registry.create("configmaps", {"metadata": metadata})
        await registry.delete("widgets.example.com", "default", "a")
        await until(lambda: registry.find("configmaps", "default", "owned") is None)
        await registry.delete("namespaces", "", "other")
        await until(lambda: registry.find("namespaces", "", "other") is None)
        assert registry.list("widgets.example.com")[0] == []
        following.cancel()


async def test_custom_resources_are_served_at_once_after_a_restart(tmp_path: Path) -> None:
    async with running_api_server(tmp_path) as api:
        await _defined(api.registry)
        await until(lambda: api.registry.resources.stored("widgets.example.com"))
        await _created(api)
    store = Store(tmp_path / "store.db")
    registry = Registry(store=store)
    Definitions(registry)
    row = registry.resources.find_by_path("example.com", "v1", "widgets")
    assert row is not None
    assert [obj["metadata"]["name"] for obj in registry.list(row.storage)[0]] == ["a"]
    store.close()


async def _created(api: Running) -> None:
    async with api.session.post("/apis/example.com/v1/namespaces/default/widgets", json=json.loads(widget())) as answer:
        assert answer.status == 201, await answer.text()
