"""RBAC as clients meet it: service accounts with their tokens, impersonation, reviews, and kubectl's `auth`."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from remora.cluster.controllers.clusterroles import ClusterRoleAggregation
from tests.cluster.api_server import Running, running_api_server
from tests.cluster.small_cluster import until
from tests.cluster.test_api_kubectl import Kubectl

RBAC = "/apis/rbac.authorization.k8s.io/v1"
MAPS = "/api/v1/namespaces/default/configmaps"
JANE = {"Impersonate-User": "jane"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_api_server(tmp_path) as running:
        yield running


async def ask(api: Running, method: str, path: str, headers: Any = None, body: Any = None) -> tuple[int, Any]:
    async with api.session.request(method, path, headers=headers, json=body) as response:
        return response.status, await response.json(content_type=None)


def role(name: str, *rules: Any, kind: str = "Role") -> Any:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, role_name: str, *subjects: Any, kind: str = "RoleBinding", role_kind: str = "Role") -> Any:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role_name}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": reference,
        "subjects": list(subjects),
    }


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> Any:
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": [group], **more}


USER = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
IN_DEFAULT = f"{RBAC}/namespaces/default"


async def grant(api: Running, *rules: Any, subject: Any = USER, name: str = "given") -> None:
    assert (await ask(api, "POST", f"{IN_DEFAULT}/roles", body=role(name, *rules)))[0] == 201
    assert (await ask(api, "POST", f"{IN_DEFAULT}/rolebindings", body=binding(name, name, subject)))[0] == 201


async def test_a_service_account_gets_exactly_what_its_bindings_give(api: Running) -> None:
    headers = {"Authorization": f"Bearer {api.tokens.issue('default', 'robot')}"}
    status, refused = await ask(api, "GET", MAPS, headers)
    assert status == 403
    assert refused == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps is forbidden: User "system:serviceaccount:default:robot" cannot list resource "configmaps" '
        'in API group "" in the namespace "default"',
        "reason": "Forbidden",
        "details": {"kind": "configmaps"},
        "code": 403,
    }
    named = rule("get list watch", "configmaps", resourceNames=["own"])
    await grant(api, named, rule("create", "configmaps"), subject={"kind": "ServiceAccount", "name": "robot"})
    assert (await ask(api, "POST", MAPS, headers, {"metadata": {"name": "own"}}))[0] == 201
    assert (await ask(api, "GET", f"{MAPS}/own", headers))[0] == 200
    assert (await ask(api, "GET", f"{MAPS}?fieldSelector=metadata.name%3Down", headers))[0] == 200
    assert (await ask(api, "GET", MAPS, headers))[0] == 403
    status, refused = await ask(api, "DELETE", f"{MAPS}/own", headers)
    assert (status, refused["message"][:29]) == (403, 'configmaps "own" is forbidden')
    assert (await ask(api, "GET", "/apis/apps/v1", headers))[0] == 200
    status, refused = await ask(api, "GET", "/metrics", headers)
    assert refused["message"] == 'forbidden: User "system:serviceaccount:default:robot" cannot get path "/metrics"'
    # What is taken back counts at once.
    await ask(api, "DELETE", f"{IN_DEFAULT}/rolebindings/given")
    assert (await ask(api, "GET", f"{MAPS}/own", headers))[0] == 403


async def test_who_may_read_a_command_s_pod_may_not_run_one(api: Running) -> None:
    await grant(api, rule("get", "pods/exec"))
    path = "/api/v1/namespaces/default/pods/p/exec?command=ls"
    status, refused = await ask(api, "GET", path, JANE)
    assert status == 403
    assert 'User "jane" cannot create resource "pods/exec" in API group ""' in refused["message"]


async def test_nobody_hands_on_rights_that_they_do_not_have(api: Running) -> None:
    await grant(api, rule("*", "roles rolebindings", "rbac.authorization.k8s.io"), rule("get", "pods"))
    assert (await ask(api, "POST", f"{IN_DEFAULT}/roles", JANE, role("same", rule("get", "pods"))))[0] == 201
    status, refused = await ask(api, "POST", f"{IN_DEFAULT}/roles", JANE, role("more", rule("get delete", "pods secrets")))
    assert status == 201  # the verb * on roles includes escalate
    fewer = [rule("create update get", "roles rolebindings", "rbac.authorization.k8s.io"), rule("get", "pods")]
    merge = {"Content-Type": "application/merge-patch+json"}
    assert (await ask(api, "PATCH", f"{IN_DEFAULT}/roles/given", merge, {"rules": fewer}))[0] == 200
    status, refused = await ask(api, "POST", f"{IN_DEFAULT}/roles", JANE, role("most", rule("get delete", "pods")))
    assert status == 403
    assert refused["message"] == (
        'roles.rbac.authorization.k8s.io "most" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to '
        'grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
    )
    more = {"Content-Type": "application/merge-patch+json", **JANE}
    status, refused = await ask(api, "PATCH", f"{IN_DEFAULT}/roles/more", more, {"metadata": {"labels": {"a": "b"}}})
    assert (status, refused["reason"]) == (403, "Forbidden")
    admin = binding("up", "cluster-admin", USER, role_kind="ClusterRole")
    assert (await ask(api, "POST", f"{IN_DEFAULT}/rolebindings", JANE, admin))[0] == 403
    nothing = binding("none", "missing", USER)
    status, refused = await ask(api, "POST", f"{IN_DEFAULT}/rolebindings", JANE, nothing)
    assert (status, refused["message"]) == (404, 'roles.rbac.authorization.k8s.io "missing" not found')
    same = binding("again", "same", {**USER, "name": "joe"})
    assert (await ask(api, "POST", f"{IN_DEFAULT}/rolebindings", JANE, same))[0] == 201


async def test_who_may_not_impersonate_does_not(api: Running) -> None:
    token = api.tokens.issue("default", "robot")
    headers = [("Authorization", f"Bearer {token}"), ("Impersonate-User", "jane"), ("Impersonate-Group", "system:masters")]
    status, refused = await ask(api, "GET", MAPS, headers)
    assert status == 403
    assert refused["message"] == (
        'users "jane" is forbidden: User "system:serviceaccount:default:robot" cannot impersonate resource "users" '
        'in API group "" at the cluster scope'
    )
    may = role("as", rule("impersonate", "users", resourceNames=["jane"]), kind="ClusterRole")
    await ask(api, "POST", f"{RBAC}/clusterroles", body=may)
    robot = {"kind": "ServiceAccount", "name": "robot", "namespace": "default"}
    bound = binding("as", "as", robot, kind="ClusterRoleBinding", role_kind="ClusterRole")
    await ask(api, "POST", f"{RBAC}/clusterrolebindings", body=bound)
    assert 'cannot impersonate resource "groups"' in (await ask(api, "GET", MAPS, headers))[1]["message"]
    assert 'User "jane" cannot list' in (await ask(api, "GET", MAPS, headers[:2]))[1]["message"]


async def test_reviews_say_what_requests_would_meet(api: Running) -> None:
    await grant(api, rule("get list", "pods"))
    path = "/apis/authorization.k8s.io/v1"
    asked = {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}}
    _, own = await ask(api, "POST", f"{path}/selfsubjectaccessreviews", JANE, {"spec": asked})
    reason = 'RBAC: allowed by RoleBinding "given/default" of Role "given" to User "jane"'
    assert own["status"] == {"allowed": True, "reason": reason}
    _, other = await ask(api, "POST", f"{path}/subjectaccessreviews", body={"spec": {**asked, "user": "joe"}})
    assert other["status"] == {"allowed": False}
    status, refused = await ask(api, "POST", f"{path}/subjectaccessreviews", body={"spec": asked})
    assert (status, "at least one of user or group must be specified" in refused["message"]) == (422, True)
    local = f"{path}/namespaces/kube-system/localsubjectaccessreviews"
    status, refused = await ask(api, "POST", local, body={"spec": {**asked, "user": "joe"}})
    assert (status, "must match metadata.namespace" in refused["message"]) == (422, True)
    _, rules = await ask(api, "POST", f"{path}/selfsubjectrulesreviews", JANE, {"spec": {"namespace": "default"}})
    assert rule("get list", "pods") in rules["status"]["resourceRules"]


async def test_roles_and_bindings_are_checked(api: Running) -> None:
    status, refused = await ask(api, "POST", f"{IN_DEFAULT}/roles", body=role("r", {"verbs": [], "resources": ["pods"]}))
    assert status == 422
    assert [cause["field"] for cause in refused["details"]["causes"]] == ["rules[0].verbs", "rules[0].apiGroups"]
    await grant(api, rule("get", "pods"))
    changed = binding("given", "other", USER)
    status, refused = await ask(api, "PUT", f"{IN_DEFAULT}/rolebindings/given", body=changed)
    assert (status, "cannot change roleRef" in refused["message"]) == (422, True)


@pytest.mark.kubectl
async def test_kubectl_auth_answers_and_reconciles(api: Running, tmp_path: Path) -> None:
    kubectl = Kubectl(api, tmp_path)
    gathering = asyncio.create_task(ClusterRoleAggregation(registry=api.registry).run())
    name = "clusterroles.rbac.authorization.k8s.io"
    await until(lambda: (api.registry.find(name, "", "admin") or {}).get("rules"))
    assert await kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    await kubectl("create", "serviceaccount", "robot")
    await kubectl("create", "rolebinding", "robot", "--clusterrole=view", "--serviceaccount=default:robot")
    robot = "--as=system:serviceaccount:default:robot"
    assert await kubectl("auth", "can-i", "list", "pods", robot) == "yes\n"
    assert await kubectl("get", "pods", robot) == ""
    code, out, _ = await kubectl.tried("auth", "can-i", "get", "secrets", robot)
    assert (code, out) == (1, "no\n")
    code, _, err = await kubectl.tried("delete", "pod", "x", robot)
    assert err.strip() == (
        'Error from server (Forbidden): pods "x" is forbidden: User "system:serviceaccount:default:robot" '
        'cannot delete resource "pods" in API group "" in the namespace "default"'
    )
    assert "selfsubjectaccessreviews.authorization.k8s.io" in await kubectl("auth", "can-i", "--list", robot)
    assert "system:serviceaccounts:default" in await kubectl("auth", "whoami", robot)
    more = role("more", rule("get", "secrets"))
    given = json.dumps({**more, "metadata": {"name": "more", "namespace": "default"}})
    assert "reconciled" in await kubectl("auth", "reconcile", "-f", "-", given=given)
    gathering.cancel()


async def test_who_may_only_patch_creates_nothing_by_applying(api: Running) -> None:
    await grant(api, rule("patch get", "configmaps"))
    headers = {**JANE, "Content-Type": "application/apply-patch+yaml"}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}, "data": {"k": "v"}}
    path = f"{MAPS}/own?fieldManager=jane"
    status, refused = await ask(api, "PATCH", path, headers, manifest)
    assert (status, 'cannot create resource "configmaps"' in refused["message"]) == (403, True), refused
    assert (await ask(api, "POST", MAPS, body=manifest))[0] == 201
    assert (await ask(api, "PATCH", path, headers, manifest))[0] == 200
