"""What `remora doctor` makes of facts about a cluster."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.x509 import load_pem_x509_certificate

from remora.core.names import NamespacedName
from remora.kube.objects import Ingress, IngressClass, KubernetesObject, Secret, Service
from remora.kube.objects.lease import Lease, LeaseSpec
from remora.kube.objects.meta import ObjectMeta
from remora.report.doctor.classes import (
    ControllerFacts,
    judge_classes,
    judge_controllers,
    judge_unclaimed,
    names_of,
    served,
)
from remora.report.doctor.cluster import ServerFacts, judge_lease, judge_server
from remora.report.doctor.finding import Finding, Level
from remora.report.doctor.references import judge_certificates, judge_references
from remora.report.doctor.rights import OPTIONAL, Right, judge_rights, needed_rights
from remora.report.doctor.webhooks import judge_webhooks
from tests.support.certificates import self_signed

NGINX, REMORA = "k8s.io/ingress-nginx", "remora.io/ingress-controller"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = NamespacedName("ingress-remora", "remora-controller")

OURS = ControllerFacts(
    name="ingress-remora/remora-controller",
    classes=frozenset({NGINX, REMORA}),
    names=names_of("nginx", is_remora=True),
    pods=2,
    running=2,
    namespace="ingress-remora",
    account="remora-controller",
)
OLD = ControllerFacts(
    name="ingress-nginx/ingress-nginx",
    classes=frozenset({NGINX}),
    names=names_of("nginx", is_remora=False),
    is_remora=False,
    pods=1,
    running=1,
)


def problems(findings: "Any") -> list[tuple[Level, str]]:
    """What is not in order; all of it with what to do."""
    found: list[Finding] = list(findings)
    assert found
    for one in found:
        assert one.level is Level.OK or (one.why and one.todo), one
    return [(one.level, one.what) for one in found if one.level is not Level.OK]


def ingress(name: str = "web", class_name: str | None = "nginx", **annotations: str) -> Ingress:
    spec: dict[str, Any] = {
        "rules": [
            {"host": "a.example", "http": {"paths": [{"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}
        ],
        "tls": [{"secretName": "cert", "hosts": ["a.example"]}],
    }
    meta = {
        "name": name,
        "namespace": "shop",
        "annotations": {key.replace("_", "."): text for key, text in annotations.items()},
    }
    if class_name is not None:
        spec["ingressClassName"] = class_name
    return msgspec.convert({"metadata": meta, "spec": spec}, Ingress)


def of_class(value: str) -> Ingress:
    found = ingress(class_name=None)
    meta = msgspec.structs.replace(found.metadata, annotations={"kubernetes.io/ingress.class": value})
    return msgspec.structs.replace(found, metadata=meta)


def a_class(name: str, controller: str, *, default: bool = False) -> IngressClass:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return msgspec.convert(
        {"metadata": {"name": name, "annotations": annotations}, "spec": {"controller": controller}}, IngressClass
    )


CLASSES = (a_class("nginx", NGINX), a_class("remora", REMORA))


def test_controllers_that_run_are_in_order() -> None:
    assert problems(judge_controllers([OURS, OLD])) == []
    assert problems(judge_controllers([OLD])) == [(Level.WARNING, "no Remora runs in this cluster")]
    dead = msgspec.structs.replace(OURS, running=0)
    assert problems(judge_controllers([dead])) == [(Level.PROBLEM, "ingress-remora/remora-controller: 0 of 2 pods run")]
    mixed = msgspec.structs.replace(OURS, images=frozenset({"remora:1", "remora:2"}))
    assert problems(judge_controllers([mixed])) == [(Level.WARNING, f"{OURS.name} runs remora:1 and remora:2")]


def test_a_class_has_one_controller() -> None:
    assert problems(judge_classes(CLASSES, [OURS], [ingress()])) == []
    two = problems(judge_classes(CLASSES, [OURS, OLD], []))
    assert two == [(Level.PROBLEM, "nginx is claimed by ingress-remora/remora-controller and ingress-nginx/ingress-nginx")]


def test_a_shadow_claims_nothing_and_two_that_watch_different_namespaces_share() -> None:
    shadow = msgspec.structs.replace(OURS, is_shadow=True)
    assert problems(judge_classes(CLASSES[:1], [shadow, OLD], [])) == []
    halves = [msgspec.structs.replace(OURS, watched=name) for name in ("a", "b")]
    assert problems(judge_classes(CLASSES, halves, [])) == []
    doubled = [msgspec.structs.replace(OURS, watched="a")] * 2
    assert len(problems(judge_classes(CLASSES, doubled, []))) == 2


@pytest.mark.parametrize(
    ("used", "level"), [([ingress()], Level.PROBLEM), ([of_class("nginx")], Level.PROBLEM), ([], Level.WARNING)]
)
def test_a_class_of_a_controller_that_does_not_run_is_served_by_nobody(used: list[Ingress], level: Level) -> None:
    ((found, what),) = problems(judge_classes(CLASSES[:1], [msgspec.structs.replace(OLD, running=0)], used))
    assert (found, what.startswith("nginx is served by nobody")) == (level, True)


def test_a_class_of_somebody_else_is_left_alone() -> None:
    assert problems(judge_classes([a_class("traefik", "traefik.io/ingress-controller")], [OURS], [])) == []


def test_two_default_classes_and_none_at_all() -> None:
    both = [a_class("nginx", NGINX, default=True), a_class("remora", REMORA, default=True)]
    assert problems(judge_classes(both, [OURS], [])) == [(Level.PROBLEM, "nginx and remora are all the default")]
    assert problems(judge_classes([], [OURS], [])) == [(Level.WARNING, "there is no IngressClass")]


def test_ingresses_that_nobody_takes() -> None:
    def judged(one: Ingress, *controllers: ControllerFacts) -> list[tuple[Level, str]]:
        return problems(judge_unclaimed([one], CLASSES, controllers or [OURS]))

    assert judged(ingress()) == judged(of_class("nginx")) == judged(of_class("remora")) == []
    assert judged(ingress(class_name=None)) == [(Level.WARNING, "nobody takes shop/web")]
    assert judged(ingress(class_name=None), msgspec.structs.replace(OURS, without_class=True)) == []
    assert judged(ingress(class_name="gone")) == [(Level.PROBLEM, "nobody takes shop/web")]
    assert judged(of_class("gone")) == [(Level.WARNING, "nobody takes shop/web")]
    assert judged(ingress(), msgspec.structs.replace(OURS, watched="elsewhere")) == []  # its class is told of above


def test_only_ingresses_of_known_controllers_are_looked_at_further() -> None:
    mine, other = ingress(), ingress("other", "traefik")
    assert served([mine, other], CLASSES, [OURS]) == (mine,)
    assert served([mine, other], CLASSES, []) == (mine, other)


def by_key(*objects: KubernetesObject) -> dict[NamespacedName, Any]:
    return {one.key: one for one in objects}


def service(**spec: Any) -> Service:
    return msgspec.convert({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}, Service)


def secret(data: dict[str, bytes]) -> Secret:
    return Secret(ObjectMeta("cert", "shop"), data=data)


def test_services_and_secrets_that_are_named_are_there() -> None:
    there, cert = by_key(service(ports=[{"port": 80}])), by_key(secret({}))
    assert problems(judge_references([ingress()], there, cert)) == []
    assert problems(judge_references([ingress()], {}, cert)) == [(Level.PROBLEM, "Service shop/web is missing")]
    assert problems(judge_references([ingress()], there, {})) == [(Level.PROBLEM, "Secret shop/cert is missing")]
    assert problems(judge_references([ingress()], there, None)) == []
    other_port = by_key(service(ports=[{"port": 81}]))
    assert problems(judge_references([ingress()], other_port, cert)) == [
        (Level.PROBLEM, "port 80 of Service shop/web is missing")
    ]
    assert problems(judge_references([ingress()], by_key(service(type="ExternalName")), cert)) == []


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (90, []),
        (3, [(Level.WARNING, "shop/cert ends in 3 days")]),
        (-2, [(Level.PROBLEM, "shop/cert ended 2 days ago")]),
    ],
)
def test_certificates_that_end(days: int, found: list[tuple[Level, str]]) -> None:
    pem = self_signed("a.example")
    now = load_pem_x509_certificate(pem).not_valid_after_utc - timedelta(days=days)
    assert problems(judge_certificates([ingress()], by_key(secret({"tls.crt": pem})), now)) == found


@pytest.mark.parametrize("data", [{}, {"tls.crt": b"no certificate"}])
def test_a_secret_without_a_certificate(data: dict[str, bytes]) -> None:
    assert problems(judge_certificates([ingress()], by_key(secret(data)), NOW)) == [
        (Level.PROBLEM, "Secret shop/cert holds no certificate")
    ]


def webhook(policy: str = "Fail") -> dict[str, Any]:
    hook = {
        "clientConfig": {"service": {"namespace": "ingress-nginx", "name": "admission"}},
        "failurePolicy": policy,
        "rules": [{"resources": ["ingresses"]}],
    }
    return {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "ingress-nginx-admission"}, "webhooks": [hook]}


def test_a_webhook_that_nobody_answers() -> None:
    name = NamespacedName("ingress-nginx", "admission")
    assert problems(judge_webhooks([webhook()], [name], [name])) == []
    (gone,) = judge_webhooks([webhook()], [], [])
    assert (gone.level, gone.todo) == (
        Level.PROBLEM,
        "`kubectl delete validatingwebhookconfiguration ingress-nginx-admission`",
    )
    ((level, what),) = problems(judge_webhooks([webhook()], [name], []))
    assert (level, "has no ready pod" in what) == (Level.PROBLEM, True)
    ((level, _),) = problems(judge_webhooks([webhook("Ignore")], [], []))
    assert level is Level.WARNING
    by_url = {**webhook(), "webhooks": [{"clientConfig": {"url": "https://example.org"}}]}
    assert problems(judge_webhooks([by_url], [], [])) == []


def lease(holder: str | None, ago: float) -> Lease:
    renewed = (NOW - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Lease(ObjectMeta("l"), LeaseSpec(holder, lease_duration_seconds=30, renew_time=renewed))


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (lease("pod-1", 5), Level.OK),
        (lease("pod-1", 31), Level.PROBLEM),
        (lease("another", 5), Level.WARNING),
        (lease(None, 5), Level.WARNING),
        (None, Level.PROBLEM),
    ],
)
def test_somebody_leads(found: Lease | None, level: Level) -> None:
    assert [one for one, _ in problems([judge_lease(OURS, found, ["pod-1"], NOW)])] == (
        [level] if level is not Level.OK else []
    )


def test_nobody_leads_where_nobody_runs() -> None:
    assert problems([judge_lease(msgspec.structs.replace(OURS, running=0), None, [], NOW)]) == []


def test_the_api_server() -> None:
    assert problems([judge_server(ServerFacts("https://a", (1, 36)))]) == []
    old = problems([judge_server(ServerFacts("https://a", (1, 20)))])
    assert old == [(Level.PROBLEM, "https://a is Kubernetes 1.20")]
    gone = problems([judge_server(ServerFacts("https://a", refusal="no answer"))])
    assert gone == [(Level.PROBLEM, "https://a cannot be reached")]


ROLES = (
    {
        "kind": "ClusterRole",
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods"], "verbs": ["list"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["patch"]},
        ],
    },
    {"kind": "Role", "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["key"], "verbs": ["get"]}]},
    {"kind": "Deployment"},
)


def test_what_the_controller_needs_is_what_its_roles_grant() -> None:
    assert needed_rights(ROLES, ACCOUNT, watched="shop") == (
        Right("get", "", "secrets", "ingress-remora", "key"),
        Right("list", "", "pods", "shop"),
        Right("list", "", "services", "shop"),
        Right("patch", "networking.k8s.io", "ingresses/status", "shop"),
    )
    review = Right("patch", "networking.k8s.io", "ingresses/status").review(ACCOUNT)
    assert review["spec"]["resourceAttributes"]["subresource"] == "status"
    assert review["spec"]["user"] == "system:serviceaccount:ingress-remora:remora-controller"


def test_a_right_that_is_missing() -> None:
    needed = needed_rights(ROLES, ACCOUNT)
    assert problems(judge_rights(ACCOUNT, needed, [])) == []
    serious, optional = Right("list", "", "services"), Right("list", "", "pods")
    assert ("", "pods") in OPTIONAL
    assert problems(judge_rights(ACCOUNT, needed, [serious, optional])) == [
        (Level.PROBLEM, f"{ACCOUNT} may not list services"),
        (Level.WARNING, f"{ACCOUNT} may not list pods"),
    ]
