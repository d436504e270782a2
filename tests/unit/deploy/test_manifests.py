"""What every way to install Remora has in common: the plain manifest, and what Helm makes of the chart."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from remora.cli.controller_flags import FLAGS
from remora.cli.flags import parse_flags
from tests.support import helm

DEPLOY = Path(__file__).parents[3] / "deploy"
BASE = [obj for obj in yaml.safe_load_all((DEPLOY / "base" / "remora.yaml").read_text()) if obj]
INSTALLATIONS = {"plain": BASE} | {f"chart-{case}": helm.objects_of(case) for case in helm.CASES}
EVERY = pytest.mark.parametrize("objects", INSTALLATIONS.values(), ids=INSTALLATIONS)


def the_pod(objects: Iterable[Any]) -> Any:
    """The pod of the controller; the chart can have a default backend beside."""
    (found,) = (
        obj["spec"]["template"]["spec"]
        for obj in objects
        if obj["kind"] in ("Deployment", "DaemonSet") and obj["metadata"]["name"] == "remora-controller"
    )
    return found


def rules(objects: Iterable[Any], kind: str) -> set[tuple[str, str, str]]:
    return {
        (rule["apiGroups"][0], resource, verb)
        for obj in objects
        if obj["kind"] == kind
        for rule in obj["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@EVERY
def test_the_pod_is_no_root_and_writes_where_a_volume_is(objects: list[Any]) -> None:
    pod = the_pod(objects)
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }
    writable = {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}
    assert writable == {"/var/lib/remora", "/tmp"}
    assert {volume["name"] for volume in pod["volumes"]} == {one["name"] for one in container["volumeMounts"]}


@EVERY
def test_the_pod_has_longer_to_go_than_the_controller_takes(objects: list[Any]) -> None:
    pod = the_pod(objects)
    (grace,) = (
        int(one.partition("=")[2]) for one in pod["containers"][0]["args"] if one.startswith("--shutdown-grace-period=")
    )
    assert pod["terminationGracePeriodSeconds"] > grace + 240, "worker-shutdown-timeout is 240 s where nobody says another"


@EVERY
def test_every_flag_is_known_and_has_an_effect(objects: list[Any]) -> None:
    arguments = the_pod(objects)["containers"][0]["args"]
    values = [one.replace("$(POD_NAMESPACE)", "n").replace("$(POD_IP)", "10.0.0.1") for one in arguments]
    given = parse_flags(values, FLAGS)
    assert not [flag.name for flag in FLAGS if flag.name in given.names and not flag.effect]


@EVERY
def test_the_objects_that_flags_and_bindings_name_are_there(objects: list[Any]) -> None:
    there = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    for argument in the_pod(objects)["containers"][0]["args"]:
        flag, _, value = argument.partition("=")
        kind = {"--configmap": "ConfigMap", "--tcp-services-configmap": "ConfigMap", "--udp-services-configmap": "ConfigMap"}
        if value.startswith("$(POD_NAMESPACE)/"):
            assert (kind.get(flag, "Service"), value.partition("/")[2]) in there, argument
    for binding in (obj for obj in objects if obj["kind"].endswith("Binding")):
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in there
        assert all((subject["kind"], subject["name"]) in there for subject in binding["subjects"])


@EVERY
def test_the_lease_that_is_granted_is_the_one_that_is_held(objects: list[Any]) -> None:
    arguments = the_pod(objects)["containers"][0]["args"]
    held = next((one.partition("=")[2] for one in arguments if one.startswith("--election-id=")), "ingress-controller-leader")
    granted = [
        rule["resourceNames"]
        for obj in objects
        if obj["kind"] == "Role"
        for rule in obj["rules"]
        if rule["resources"] == ["leases"] and "resourceNames" in rule
    ]
    assert granted == [[held]]


def test_the_chart_grants_what_the_plain_manifest_grants() -> None:
    chart = helm.objects_of("usual")
    counted = {("", "pods", "patch")}  # only with --publish-session-counts
    assert rules(chart, "ClusterRole") == rules(BASE, "ClusterRole") - counted
    assert rules(chart, "Role") == rules(BASE, "Role")


def test_a_chart_for_one_namespace_reads_nothing_elsewhere_but_classes() -> None:
    assert rules(helm.objects_of("everything"), "ClusterRole") == {
        ("networking.k8s.io", "ingressclasses", verb) for verb in ("list", "watch")
    }


def test_no_webhook_of_the_chart_or_the_component_asks_for_another_path() -> None:
    webhook = [obj for obj in yaml.safe_load_all((DEPLOY / "components" / "webhook" / "webhook.yaml").read_text()) if obj]
    paths = {
        one["clientConfig"]["service"]["path"]
        for objects in (webhook, helm.objects_of("everything"))
        for obj in objects
        if obj["kind"] == "ValidatingWebhookConfiguration"
        for one in obj["webhooks"]
    }
    assert paths == {"/networking/v1/ingresses"}


@pytest.mark.parametrize("case", helm.CASES)
def test_the_golden_answers_are_of_this_chart(case: str) -> None:
    assert helm.golden(case).startswith(f"# {helm.digest(case)}\n"), "`make chart` asks Helm again"


@pytest.mark.skipif(not helm.HAS_HELM, reason="helm-python-sdk is not installed: `make clients` does that")
@pytest.mark.parametrize("case", helm.CASES)
def test_helm_says_the_same_today(case: str) -> None:
    assert helm.text_of(case) == helm.golden(case)


@pytest.mark.skipif(not helm.HAS_HELM, reason="helm-python-sdk is not installed: `make clients` does that")
def test_a_value_that_does_nothing_is_warned_about() -> None:
    (notes,) = (
        text for name, text in helm.rendered({"controller": {"hostNetwork": True}}).items() if name.endswith("NOTES.txt")
    )
    assert "WARNING: controller.hostNetwork has no effect here" in notes


def _leaves(value: Any, path: str = "") -> Iterable[str]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path


def test_the_table_of_values_has_every_value_and_no_other() -> None:
    text = (DEPLOY.parent / "docs" / "install.md").read_text()
    rows = [
        line.split("|")[1]
        for line in text.partition("## Values")[2].partition("\n## ")[0].splitlines()
        if line.startswith("| `")
    ]
    told = [name for row in rows for name in row.replace("`", "").replace(" ", "").split(",")]
    values = yaml.safe_load((helm.CHART / "values.yaml").read_text())
    notes = (helm.CHART / "templates" / "NOTES.txt").read_text()
    warned = re.findall(r'"([A-Za-z]+(?:\.[A-Za-z]+)*)"', notes.partition("list ")[2].partition("}}")[0])
    assert set(warned) <= set(told)
    missing = [leaf for leaf in _leaves(values) if not any(leaf == name or leaf.startswith(f"{name}.") for name in told)]
    assert missing == []
    told = [name for name in told if name not in warned]
    strange = [name for name in told if not any(leaf == name or leaf.startswith(f"{name}.") for leaf in _leaves(values))]
    assert strange == []


def test_what_the_image_runs_as_is_what_the_manifests_say() -> None:
    lines = (DEPLOY.parent / "Containerfile").read_text().splitlines()
    assert "USER 65532:65532" in lines
    assert 'ENTRYPOINT ["remora", "controller"]' in lines
    for line in lines:
        if line.startswith("COPY ") and "--from=" not in line:
            *sources, _ = line.split()[1:]
            assert all((DEPLOY.parent / source).exists() for source in sources), line
