"""The workload pages over a local cluster, as a visitor without a browser meets them: what is shown, done and refused."""

import json
import ssl
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remora.kube.credentials import Connection, from_kubeconfig
from remora.testing.local import LocalCluster, RequestFailed, eventually
from tests.cluster.small_cluster import deployment
from tests.dashboard.visitor import Visitor
from tests.support.dashboard import Served, served

APPS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
WEB = "/workloads/default/deployments/web"
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module", autouse=True)
def objects(cluster: LocalCluster) -> None:
    """A Deployment and a pod that writes a log."""
    script = f"print('first'); print({HOSTILE!r}, flush=True); import time; time.sleep(900)"
    cluster.add_image("talker", sys.executable, "-c", script)
    cluster.request("POST", APPS, deployment("web", replicas=1))
    container = {"name": "main", "image": "talker"}
    cluster.request("POST", PODS, {"metadata": {"name": "talker"}, "spec": {"containers": [container]}})
    eventually(lambda: ready(cluster, "web") == 1)


@pytest.fixture(scope="module")
def dashboard(cluster: LocalCluster) -> Iterator[Served]:
    with served(connect=lambda: from_kubeconfig(str(cluster.kubeconfig))) as made:
        yield made


@pytest.fixture(scope="module")
def visitor(dashboard: Served) -> Visitor:
    return Visitor(dashboard)


@pytest.fixture(scope="module")
def reader(cluster: LocalCluster) -> Iterator[Visitor]:
    """One who may read most things of one namespace, and change nothing, whatever the dashboard would let them."""
    cluster.request("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "reader"}})
    role = {
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}],
        "metadata": {"name": "reader"},
    }
    cluster.request("POST", f"{RBAC}/namespaces/default/roles", role)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subjects = [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}]
    binding = {"metadata": {"name": "reader"}, "roleRef": reference, "subjects": subjects}
    cluster.request("POST", f"{RBAC}/namespaces/default/rolebindings", binding)
    asked = {"spec": {"audiences": [], "expirationSeconds": 3600}}
    token = cluster.request("POST", "/api/v1/namespaces/default/serviceaccounts/reader/token", asked)["status"]["token"]

    async def authorize() -> str:
        return f"Bearer {token}"

    async def connect() -> Connection:
        context = ssl.create_default_context(cafile=str(cluster.directory / "pki" / "ca.crt"))
        return Connection(cluster.server, authorize, context)

    with served(connect=connect) as made:
        yield Visitor(made)


def ready(cluster: LocalCluster, name: str) -> int:
    return int(cluster.request("GET", f"{APPS}/{name}").get("status", {}).get("readyReplicas", 0))


def managers(cluster: LocalCluster) -> list[str]:
    """Who owns the number of pods."""
    fields = cluster.request("GET", f"{APPS}/web")["metadata"]["managedFields"]
    return [one["manager"] for one in fields if "f:replicas" in one["fieldsV1"].get("f:spec", {})]


def config_map(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


def test_workloads_are_listed_with_their_pods_and_bare_pods_too(visitor: Visitor) -> None:
    text = visitor.get("/workloads").text
    assert 'href="/workloads/default/deployments/web"' in text
    assert "1/1 ready" in text
    assert 'href="/pods/default/talker"' in text
    assert "Pods that nobody looks after" in text


def test_a_search_leaves_the_rest_away(visitor: Visitor) -> None:
    assert "deployments/web" in visitor.get("/workloads?q=deployment+server").text
    assert "No workload is like that." in visitor.get("/workloads?q=nothing-like-it").text
    assert "deployments/web" not in visitor.get("/workloads?namespace=kube-system").text


def test_a_workloads_page_leads_from_ingress_and_service_to_pods_and_events(visitor: Visitor, cluster: LocalCluster) -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    cluster.request("POST", "/api/v1/namespaces/default/services", {"metadata": {"name": "web"}, "spec": spec})
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "web.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = {"metadata": {"name": "web"}, "spec": {"rules": [rule]}}
    cluster.request("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress)
    text = eventually(lambda: text if "web.example.com" in (text := visitor.get(WEB).text) else None)
    assert 'href="/?q=web.example.com"' in text
    assert "MinimumReplicasAvailable" in text
    assert "ScalingReplicaSet" in text
    assert 'action="/workloads/default/deployments/web/scale"' in text


def test_a_pods_page_tells_its_containers_probes_and_state(visitor: Visitor, cluster: LocalCluster) -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 3}
    container = {"name": "main", "image": "no-such-image", "livenessProbe": probe}
    cluster.request("POST", PODS, {"metadata": {"name": "odd"}, "spec": {"containers": [container]}})
    text = eventually(lambda: text if "ErrImagePull" in (text := visitor.get("/pods/default/odd").text) else None)
    assert "tcp-socket :9 every 3 s" in text
    assert "no-such-image" in text


def test_scaling_is_told_and_done(visitor: Visitor, cluster: LocalCluster) -> None:
    page = visitor.post(f"{WEB}/scale", replicas="2")
    assert (page.status, "is to have 2 pods" in page.text) == (200, True)
    assert eventually(lambda: ready(cluster, "web") == 2)
    assert "remora-dashboard" in managers(cluster)


@pytest.mark.parametrize("number", ["", "-1", "many", "1e3", "99999999", "٣"])
def test_what_is_no_number_of_pods_scales_nothing(visitor: Visitor, cluster: LocalCluster, number: str) -> None:
    before = cluster.request("GET", f"{APPS}/web")["spec"]
    page = visitor.post(f"{WEB}/scale", replicas=number)
    assert (page.status, "from 0 to 10000" in page.text) == (422, True)
    assert cluster.request("GET", f"{APPS}/web")["spec"] == before


def test_a_restart_is_kubectls_and_replaces_the_pods(visitor: Visitor, cluster: LocalCluster) -> None:
    page = visitor.post(f"{WEB}/restart")
    assert (page.status, "restarts" in page.text) == (200, True)
    annotations = cluster.request("GET", f"{APPS}/web")["spec"]["template"]["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/restartedAt" in annotations
    owned = [one for one in cluster.request("GET", f"{APPS}/web")["metadata"]["managedFields"] if "restartedAt" in str(one)]
    assert [one["manager"] for one in owned] == ["remora-dashboard"]


def test_a_pod_is_deleted_and_the_page_says_so(visitor: Visitor, cluster: LocalCluster) -> None:
    cluster.request("POST", PODS, {"metadata": {"name": "short"}, "spec": {"containers": [{"name": "c", "image": "none"}]}})
    eventually(lambda: visitor.get("/pods/default/short").status == 200)
    page = visitor.post("/pods/default/short/delete")
    assert (page.status, "is being deleted" in page.text) == (200, True)

    def is_gone() -> bool:
        with pytest.raises(RequestFailed):
            cluster.request("GET", f"{PODS}/short")
        return True

    assert eventually(lambda: visitor.get("/pods/default/short").status == 404)
    assert is_gone()
    again = visitor.post("/pods/default/short/delete")
    assert (again.status, "was not deleted: pods &#34;short&#34; not found" in again.text) == (404, True)


def test_a_manifest_is_checked_without_a_change_and_then_applied(visitor: Visitor, cluster: LocalCluster) -> None:
    manifest = config_map("made", a="1")
    checked = visitor.post("/apply", manifest=manifest, step="check")
    assert checked.status == 200
    assert "created" in checked.text
    assert "Apply 1 object" in checked.text
    with pytest.raises(RequestFailed, match="not found"):
        cluster.request("GET", "/api/v1/namespaces/default/configmaps/made")
    assert "Applied: 1 object." in visitor.post("/apply", manifest=manifest, step="apply").text
    made = cluster.request("GET", "/api/v1/namespaces/default/configmaps/made")
    assert made["data"] == {"a": "1"}
    assert [owner["manager"] for owner in made["metadata"]["managedFields"]] == ["remora-dashboard"]
    assert "there is nothing to apply" in visitor.post("/apply", manifest=manifest, step="check").text
    changed = visitor.post("/apply", manifest=config_map("made", a="2"), step="check").text
    assert "configured" in changed
    assert "<code>data.a</code>" in changed


def test_what_a_manifest_brings_itself_is_waited_for(visitor: Visitor, cluster: LocalCluster) -> None:
    space = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "brought"}})
    inside = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "in", "namespace": "brought"}}
    manifest = f"{space}\n---\n{json.dumps(inside)}"
    assert "checked later" in visitor.post("/apply", manifest=manifest, step="check").text
    assert "Applied: 2 objects." in visitor.post("/apply", manifest=manifest, step="apply").text
    assert cluster.request("GET", "/api/v1/namespaces/brought/configmaps/in")


def test_a_fault_in_a_manifest_is_told_with_its_object_and_field_and_nothing_is_applied(
    visitor: Visitor, cluster: LocalCluster
) -> None:
    wrong = deployment("wrong")
    wrong |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    wrong["spec"]["replicas"] = -1
    page = visitor.post("/apply", manifest=f"{config_map('beside')}\n---\n{json.dumps(wrong)}", step="apply")
    assert page.status == 422
    assert "Nothing was applied: of 2 objects 1 refused" in page.text
    assert "Deployment default/wrong" in page.text
    assert "<code>spec.replicas</code>" in page.text
    with pytest.raises(RequestFailed, match="not found"):
        cluster.request("GET", "/api/v1/namespaces/default/configmaps/beside")


def test_a_field_that_does_not_exist_and_a_kind_that_nobody_knows_are_told(visitor: Visitor) -> None:
    unknown = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dta": {}})
    assert "dta" in visitor.post("/apply", manifest=unknown, step="check").text.split("<textarea")[0]
    nobody = json.dumps({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}})
    assert "the cluster knows no kind Thing in example.com/v1" in visitor.post("/apply", manifest=nobody, step="check").text


def test_a_conflict_names_the_owner_and_is_taken_over_only_if_chosen(visitor: Visitor, cluster: LocalCluster) -> None:
    path = "/api/v1/namespaces/default/configmaps/owned"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": {"a": "theirs"}}
    cluster.request("PATCH", f"{path}?fieldManager=somebody", body, content_type="application/apply-patch+yaml")
    manifest = config_map("owned", a="ours")
    refused = visitor.post("/apply", manifest=manifest, step="apply")
    assert refused.status == 409
    assert "<code>.data.a</code> belongs to <strong>somebody</strong>" in refused.text
    assert cluster.request("GET", path)["data"] == {"a": "theirs"}
    name = refused.text.split('type="checkbox" name="')[1].split('"')[0]
    assert "Apply 1 object" in visitor.post("/apply", manifest=manifest, step="check", **{name: "1"}).text
    assert "Applied: 1 object." in visitor.post("/apply", manifest=manifest, step="apply", **{name: "1"}).text
    assert cluster.request("GET", path)["data"] == {"a": "ours"}


@pytest.mark.parametrize(
    ("manifest", "status", "words"),
    [
        ("a: [", 422, "not YAML"),
        ("kind: Pod", 422, "has no apiVersion"),
        (
            "a0: &a0 [x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 20)),
            422,
            "aliases",
        ),
        ("x" * 1_100_000, 422, "more than 1024 KiB"),
        ("x" * 3_300_000, 413, "bytes"),
    ],
    ids=["no-yaml", "no-object", "bomb", "large", "too-large"],
)
def test_what_is_no_manifest_is_refused(visitor: Visitor, manifest: str, status: int, words: str) -> None:
    page = visitor.post("/apply", manifest=manifest, step="check")
    assert (page.status, words in page.text.split("<textarea")[0]) == (status, True)


ACTIONS = [
    (f"{WEB}/scale", {"replicas": "0"}),
    (f"{WEB}/restart", {}),
    ("/pods/default/talker/delete", {}),
    ("/apply", {"manifest": config_map("never"), "step": "apply"}),
]


@pytest.mark.parametrize(("path", "fields"), ACTIONS)
def test_a_form_of_somebody_else_does_nothing(
    visitor: Visitor, cluster: LocalCluster, path: str, fields: dict[str, str]
) -> None:
    before = state(cluster)
    assert visitor.post(path, **fields, csrf="").status == 403
    assert visitor.post(path, **fields, csrf="guessed").status == 403
    assert visitor.post(path, **fields, origin="http://evil.example.com").status == 403
    assert visitor.get(path).status in (404, 405) or path == "/apply"
    assert state(cluster) == before


@pytest.mark.parametrize(("path", "fields"), ACTIONS)
def test_whoever_has_no_right_is_told_so_and_gets_no_button(
    reader: Visitor, cluster: LocalCluster, path: str, fields: dict[str, str]
) -> None:
    before = state(cluster)
    page = reader.post(path, **fields)
    assert page.status in (403, 422)
    assert "system:serviceaccount:default:reader" in page.text
    assert state(cluster) == before
    for shown in (WEB, "/pods/default/talker"):
        assert "<h1>" in (text := reader.get(shown).text)
        assert not [word for word in ("/scale", "/restart", "/delete") if f'{word}"' in text]


def test_whoever_may_list_one_namespace_only_sees_that(reader: Visitor) -> None:
    assert "deployments/web" in reader.get("/workloads").text
    nodes = reader.get("/objects/nodes").text
    assert "cannot list resource" in nodes


def test_with_read_only_there_is_neither_button_nor_route(cluster: LocalCluster) -> None:
    before = state(cluster)
    with served(connect=lambda: from_kubeconfig(str(cluster.kubeconfig)), may_write=False) as made:
        visitor = Visitor(made)
        for path, fields in ACTIONS:
            assert visitor.post(path, **fields).status in (404, 405)
        for shown in ("/workloads", WEB, "/pods/default/talker"):
            text = visitor.get(shown).text
            assert not [word for word in ("/scale", "/restart", "/delete", "/apply") if f'{word}"' in text]
        assert visitor.get("/apply").status == 404
        assert visitor.get("/pods/default/talker/logs").status == 200
    assert state(cluster) == before


def state(cluster: LocalCluster) -> Any:
    """What the actions would change."""
    talker, web = cluster.request("GET", f"{PODS}/talker"), cluster.request("GET", f"{APPS}/web")
    maps = cluster.request("GET", "/api/v1/namespaces/default/configmaps")["items"]
    return talker["metadata"]["uid"], talker["metadata"].get("deletionTimestamp"), web["spec"], len(maps)


def test_of_a_secret_and_a_configmap_keys_are_shown_and_no_value(visitor: Visitor, cluster: LocalCluster) -> None:
    for kind in ("secrets", "configmaps"):
        field = "stringData" if kind == "secrets" else "data"
        body = {"metadata": {"name": f"kept-{kind}"}, field: {"a-key": "the-hidden-value"}}
        cluster.request("POST", f"/api/v1/namespaces/default/{kind}", body)
        text = eventually(lambda kind=kind: text if f"kept-{kind}" in (text := visitor.get(f"/objects/{kind}").text) else None)  # type: ignore[misc]
        assert "a-key" in text
        assert "the-hidden-value" not in text
        assert "dGhlLWhpZGRlbi12YWx1ZQ" not in text


@pytest.mark.parametrize("tab", ["services", "ingresses", "nodes", "events"])
def test_every_other_list_shows_what_is_there(visitor: Visitor, tab: str) -> None:
    page = visitor.get(f"/objects/{tab}")
    assert page.status == 200
    assert 'id="objects-none"' not in page.text or tab == "ingresses"


def test_a_log_is_shown_followed_and_escaped(visitor: Visitor) -> None:
    shown = eventually(lambda: text if "first" in (text := visitor.get("/pods/default/talker/logs?lines=5").text) else None)
    assert HOSTILE not in shown
    assert "&lt;script&gt;alert" in shown
    filtered = visitor.get("/pods/default/talker/logs?q=FIRST").text
    assert "first" in filtered.split('id="log"')[1]
    assert "&lt;script" not in filtered.split('id="log"')[1]
    path = "/pods/default/talker/log-stream?container=main&lines=10"
    events = visitor.events(path, lambda text: "</script>" in text)
    assert "event: lines" in events
    assert "\nid: 20" in events


@pytest.mark.parametrize(
    "path",
    ["/pods/default/%2e%2e", "/pods/default/a%3Fb", "/workloads/default/secrets/x", "/workloads/Default/deployments/web"],
)
def test_what_is_no_name_leads_nowhere(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status == 404


def test_nothing_is_shown_to_whoever_has_not_signed_in(dashboard: Served, visitor: Visitor) -> None:
    stranger = Visitor.__new__(Visitor)
    stranger.__dict__.update(visitor.__dict__, _cookie="")
    for path in ("/workloads", WEB, "/objects/secrets", "/pods/default/talker/logs", "/pods/default/talker/log-stream"):
        assert stranger.get(path).status in (303, 401)
    assert stranger.post(f"{WEB}/scale", replicas="0").status in (303, 401, 403)
