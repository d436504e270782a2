"""The plan: flags, Helm values, ConfigMaps and Ingresses, and the manifests that it leads to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from remora.cli.migrate_input import known_flags, own_manifests
from remora.core.names import NamespacedName
from remora.kube.objects import Ingress, IngressClass, Service
from remora.migrate.flags import carried, flag_rows, parse_arguments
from remora.migrate.helm import flags_of, helm_rows, is_values, pod_fields, ports_of, settings_of
from remora.migrate.manifests import Carried, manifests
from remora.migrate.old import Old, find_misshapen, find_old
from remora.migrate.plan import Plan, plan_manifests, plan_snapshot
from remora.migrate.rows import worst
from remora.migrate.steps import steps
from remora.report.findings import Verdict
from remora.report.manifests import read_manifests
from remora.watch.snapshot import Snapshot
from tests.support.kubernetes import ingress, ingress_class, rule, service

EXAMPLES = Path(__file__).parents[3] / "examples" / "migration"
KNOWN = known_flags()


def verdicts(flags: Mapping[str, str]) -> dict[str, Verdict]:
    return {row.name: row.verdict for row in flag_rows(flags, KNOWN)}


def test_arguments_are_read_as_the_container_has_them() -> None:
    words = ["/nginx-ingress-controller", "--configmap=a/b", "--http-port", "81", "--enable-metrics", "--no-such", "-v=3"]
    wanted = {"configmap": "a/b", "http-port": "81", "enable-metrics": "true", "no-such": "true", "v": "3"}
    assert parse_arguments(words, KNOWN) == wanted


def test_each_flag_is_judged() -> None:
    flags = {"http-port": "81", "https-port": "none", "sync-period": "1m", "no-such": "1", "udp-services-configmap": "a/b"}
    assert verdicts(flags) == {
        "--http-port": Verdict.HONOURED,
        "--https-port": Verdict.REFUSED,
        "--sync-period": Verdict.WITHOUT_EFFECT,
        "--no-such": Verdict.UNKNOWN,
        "--udp-services-configmap": Verdict.REFUSED,
    }
    rows = tuple(flag_rows(flags, KNOWN))
    assert next(row.note for row in rows if row.name == "--https-port").startswith("found 'none', needed a whole number")
    assert carried(flags, rows) == ("--http-port=81",)


def test_a_boolean_flag_with_another_value_is_refused() -> None:
    assert verdicts({"enable-metrics": "maybe"}) == {"--enable-metrics": Verdict.REFUSED}


VALUES: dict[str, Any] = {
    "controller": {
        "scope": {"enabled": True},
        "ingressClass": "public",
        "config": {"use-gzip": True},
        "allowSnippetAnnotations": False,
        "extraArgs": {"v": 2},
        "kind": "DaemonSet",
        "customTemplate": {"configMapName": "x"},
        "noSuchValue": 1,
        "tolerations": [{"key": "edge"}],
        "resources": {},
    },
    "tcp": {5432: "shop/db:5432"},
}


def test_helm_values_are_judged_and_become_flags_settings_and_ports() -> None:
    assert {row.name: row.verdict for row in helm_rows(VALUES)} == {
        "controller.scope.enabled": Verdict.HONOURED,
        "controller.ingressClass": Verdict.HONOURED,
        "controller.config": Verdict.HONOURED,
        "controller.allowSnippetAnnotations": Verdict.HONOURED,
        "controller.extraArgs": Verdict.HONOURED,
        "controller.kind": Verdict.DIFFERENT,
        "controller.customTemplate.configMapName": Verdict.REFUSED,
        "controller.noSuchValue": Verdict.UNKNOWN,
        "controller.tolerations": Verdict.HONOURED,
        "tcp": Verdict.HONOURED,
    }
    assert flags_of(VALUES) == {"ingress-class": "public", "watch-namespace": "$(POD_NAMESPACE)", "v": "2"}
    assert settings_of(VALUES) == {"allow-snippet-annotations": "false", "use-gzip": "true"}
    assert ports_of(VALUES, "tcp") == {"5432": "shop/db:5432"}
    assert pod_fields(VALUES) == {"tolerations": [{"key": "edge"}]}


@pytest.mark.parametrize("document", [{"kind": "Deployment", "controller": {}}, {"controller": "x"}, {"a": {}}])
def test_not_every_document_is_helm_values(document: dict[str, Any]) -> None:
    assert not is_values(document)


def documents() -> list[dict[str, Any]]:
    return [one for file in sorted(EXAMPLES.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text()) if one]


def example_plan() -> Plan:
    read = [one for file in sorted(EXAMPLES.glob("*.yaml")) for one in read_manifests(file.read_text(), str(file))]
    return plan_manifests(read, find_old(documents(), KNOWN), KNOWN)


def test_the_controller_of_today_is_found_with_its_service_and_settings() -> None:
    old = find_old(documents(), KNOWN)
    assert old.workload == "Deployment ingress-nginx/ingress-nginx-controller"
    assert old.service == NamespacedName("ingress-nginx", "ingress-nginx-controller")
    assert old.flags["configmap"] == "ingress-nginx/ingress-nginx-controller"
    assert (old.replicas, old.resources["requests"]["cpu"]) == (2, "200m")
    assert old.settings["brotli-level"] == "4"
    assert old.tcp == {"5432": "shop/database:5432"}


def test_nothing_found_is_said() -> None:
    plan = plan_manifests([], find_old([], KNOWN), KNOWN)
    assert [note.partition(":")[0] for note in plan.notes] == [
        "no Deployment, DaemonSet or Helm values of ingress-nginx among the input",
        "no entry Service found",
    ]
    assert not plan.is_refused


def test_the_sample_has_thirty_ingresses_none_of_which_is_refused() -> None:
    plan = example_plan()
    assert len({one.name for one in plan.ingresses}) == 30
    assert {one.verdict for one in plan.ingresses} == {Verdict.HONOURED, Verdict.DIFFERENT, Verdict.WITHOUT_EFFECT}
    assert not plan.is_refused
    assert {row.kind for row in plan.rows} == {"flag", "helm", "configmap", "tcp"}


def test_what_is_refused_or_closed_is_what_check_says() -> None:
    text = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {nginx.ingress.kubernetes.io/affinity: "a|b"}}
spec: {ingressClassName: nginx}
"""
    (row,) = plan_manifests(list(read_manifests(text, "web.yaml")), Old(), KNOWN).ingresses
    assert (row.name, row.verdict, row.findings[0].field) == (
        "default/web",
        Verdict.REFUSED,
        "nginx.ingress.kubernetes.io/affinity",
    )


def test_settings_without_a_flag_are_found_by_their_keys() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {use-gzip: 'true', proxy-body-size: 9m}\n"
    plan = plan_manifests(list(read_manifests(text, "c.yaml")), Old(), KNOWN)
    assert [row.name for row in plan.rows if row.kind == "configmap"] == ["use-gzip", "proxy-body-size"]


def test_ports_are_judged_one_by_one() -> None:
    old = Old(tcp={"80": "shop/db:5432", "5432": "shop/db:5432", "x": "y"}, udp={"53": "kube-system/dns:53"})
    rows = {(row.kind, row.name): row.verdict for row in plan_manifests([], old, KNOWN).rows}
    assert rows == {
        ("tcp", "80"): Verdict.REFUSED,
        ("tcp", "5432"): Verdict.HONOURED,
        ("tcp", "x"): Verdict.REFUSED,
        ("udp", "53"): Verdict.REFUSED,
    }


def test_a_cluster_is_planned_for_the_ingresses_of_the_class() -> None:
    snapshot = Snapshot()
    objects: dict[type[Any], list[Any]] = {
        Ingress: [
            ingress("shop/web", rule("web.test", "/"), annotations={"affinity": "cookie"}),
            ingress("shop/odd", rule("odd.test", "/"), annotations={"affinity": "a|b"}),
            ingress("shop/other", rule("other.test", "/"), class_name="other"),
        ],
        IngressClass: [ingress_class("nginx"), ingress_class("other", "example.com/other")],
        Service: [service("shop/web")],
    }
    for kind, ones in objects.items():
        snapshot = snapshot.changed(kind, {one.key: one for one in ones})
    plan = plan_snapshot(snapshot, Old(), KNOWN)
    assert {one.name: one.verdict for one in plan.ingresses} == {"shop/odd": Verdict.REFUSED, "shop/web": Verdict.HONOURED}


def test_a_shadow_may_read_alone_and_claims_no_class() -> None:
    plan = example_plan()
    shadow = manifests(own_manifests(), plan.old, plan.carried, is_shadow=True)
    assert {verb for one in shadow for each in one.get("rules", ()) for verb in each["verbs"]} == {"get", "list", "watch"}
    assert "IngressClass" not in {one["kind"] for one in shadow}
    deployment = next(one for one in shadow if one["kind"] == "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--shadow" in arguments
    assert not any(one.startswith("--election-id") for one in arguments)
    assert {one["metadata"].get("namespace", "ingress-nginx") for one in shadow} == {"ingress-nginx"}
    assert all(one["spec"].get("type", "ClusterIP") == "ClusterIP" for one in shadow if one["kind"] == "Service")


def test_the_manifests_for_afterwards_carry_what_the_old_controller_was_told() -> None:
    plan = example_plan()
    final = manifests(own_manifests(), plan.old, plan.carried, is_shadow=False)
    assert [one["metadata"]["name"] for one in final if one["kind"] == "IngressClass"] == ["remora"]
    spec = next(one for one in final if one["kind"] == "Deployment")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert {
        "--publish-service=ingress-nginx/ingress-nginx-controller",
        "--default-ssl-certificate=shop/secure-tls",
        "--session-cookie-format=ingress-nginx",
        "--election-id=remora-leader",
    } <= set(container["args"])
    assert len({one.partition("=")[0] for one in container["args"]}) == len(container["args"])
    assert spec["replicas"] == 2
    assert {"name": "5432-tcp", "containerPort": 5432, "protocol": "TCP"} in container["ports"]
    assert "brotli-level" in next(one for one in final if one["kind"] == "ConfigMap")["data"]


def test_the_manifests_can_be_started_with() -> None:
    from remora.cli.controller_flags import FLAGS
    from remora.cli.flags import parse_flags

    plan = example_plan()
    for is_shadow in (True, False):
        documents = manifests(own_manifests(), plan.old, plan.carried, is_shadow=is_shadow)
        deployment = next(one for one in documents if one["kind"] == "Deployment")
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        written = [one.replace("$(POD_NAMESPACE)", "x").replace("$(POD_IP)", "192.0.2.1") for one in arguments]
        assert parse_flags(written, FLAGS)["shadow"] is is_shadow


def test_without_an_entry_service_the_usual_one_is_kept() -> None:
    final = manifests(own_manifests(), Old(), Carried(), is_shadow=False)
    assert next(one for one in final if one["metadata"]["name"] == "remora-controller" and one["kind"] == "Service")["spec"][
        "type"
    ] == ("LoadBalancer")


def test_the_steps_name_what_was_found() -> None:
    text = "\n".join(steps(example_plan(), "out"))
    assert "kubectl apply -f out/shadow.yaml" in text
    assert "--service ingress-nginx/ingress-nginx-controller" in text
    assert "kubectl scale -n ingress-nginx deployment/ingress-nginx-controller --replicas=0" in text
    assert "scale the old controller down" in "\n".join(steps(Plan(Old()), "out"))
    assert "kubectl patch -n edge daemonset/in " in "\n".join(steps(Plan(Old("edge", "DaemonSet edge/in")), "out"))


def test_the_old_webhook_goes_before_the_pods_that_answer_it() -> None:
    text = "\n".join(steps(example_plan(), "out"))
    order = (
        "delete validatingwebhookconfiguration",
        "--replicas=0",
        "apply -f out/remora.yaml",
        "uninstall the old controller",
    )
    assert sorted(order, key=text.index) == list(order)


def test_the_worst_verdict_is_the_one_to_look_at() -> None:
    assert worst((Verdict.HONOURED, Verdict.REFUSED, Verdict.DIFFERENT)) is Verdict.REFUSED
    assert worst(()) is Verdict.HONOURED


def a_service(name: str, kind: str, *, port: int = 80, selector: dict[str, str] | None = None) -> dict[str, Any]:
    spec = {"type": kind, "selector": {"app": "nginx"} if selector is None else selector, "ports": [{"port": port}]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "edge"}, "spec": spec}


def test_the_entry_is_the_service_for_clients_that_selects_the_controllers_pods() -> None:
    containers = [{"name": "sidecar"}, {"image": "registry.example/ingress-nginx/controller:v1", "args": ["--v=2"]}]
    template = {"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": containers}}
    workload = {"kind": "DaemonSet", "metadata": {"name": "in", "namespace": "edge"}, "spec": {"template": template}}
    services = [
        a_service("a-metrics", "ClusterIP", port=10254),
        a_service("b-inner", "ClusterIP"),
        a_service("c-entry", "NodePort"),
        a_service("d-other", "LoadBalancer", selector={"app": "other"}),
        a_service("e-none", "LoadBalancer", selector={}),
    ]
    old = find_old([workload, *services], KNOWN)
    assert (old.workload, str(old.service), old.flags) == ("DaemonSet edge/in", "edge/c-entry", {"v": "2"})
    other = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"image": "web"}]}}}}
    assert find_old([other], KNOWN).workload == ""


def test_what_cannot_be_read_refuses_the_plan() -> None:
    plan = plan_manifests(list(read_manifests("kind: Ingress\nmetadata: {", "web.yaml")), Old(), KNOWN)
    assert plan.is_refused
    assert sum(plan.counts().values()) == 0


def a_workload(**spec: object) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "in"}, "spec": {"template": {"spec": spec}}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "Deployment", "spec": 7}, "spec: found 7, needed an object"),
        ({"kind": "DaemonSet", "metadata": ["in"]}, "metadata: found ['in'], needed an object"),
        (a_workload(containers={"a": "b"}), "spec.template.spec.containers: found {'a': 'b'}, needed a list"),
        (a_workload(containers=["a"]), "spec.template.spec.containers[0]: found 'a', needed an object"),
        (
            a_workload(containers=[{"args": ["-v", 1]}]),
            "spec.template.spec.containers[0].args[1]: found 1, needed text; write it in quotes",
        ),
        ({"kind": "Service", "spec": {"ports": {"a": 1}}}, "spec.ports: found {'a': 1}, needed a list"),
        ({"controller": {"resources": 5}}, "controller.resources: found 5, needed an object"),
        ({"controller": {"replicaCount": True}}, "controller.replicaCount: found true, needed a whole number"),
        ({"kind": "Anything", "spec": 7}, ""),
        (a_workload(containers=None), ""),
    ],
)
def test_a_field_of_another_type_is_named_with_what_it_should_be(document: dict[str, Any], said: str) -> None:
    assert find_misshapen(document) == said


def test_a_controller_without_a_name_is_found_and_its_name_asked_for() -> None:
    workload = a_workload(containers=[{"image": "x/ingress-nginx/controller:v1"}]) | {"metadata": {"generateName": "in-"}}
    plan = plan_manifests([], find_old([workload], KNOWN), KNOWN)
    assert plan.old.workload == "Deployment default/NAME"
    assert any("metadata.name is missing" in note for note in plan.notes)
