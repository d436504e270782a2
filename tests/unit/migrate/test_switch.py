"""Each step of a switch, and when it goes back."""

from typing import Any

import pytest

from remora.annotations.declare import FORMER_CLASS
from remora.core.names import NamespacedName, ObjectRef
from remora.migrate.compare import Comparison, Difference
from remora.migrate.switch import (
    FORMER_SELECTOR,
    Direction,
    Limits,
    Reading,
    State,
    added,
    capacity_check,
    class_steps,
    comparison_check,
    judge,
    matches,
    parse_reading,
    ports_check,
    problems_check,
    selector_step,
    state_of,
)
from remora.report.findings import Finding, Report, Verdict
from remora.report.manifests import Place

NEW = {"app": "remora"}


def entry(selector: dict[str, str], **annotations: str) -> dict[str, Any]:
    metadata = {"name": "entry", "namespace": "in", "resourceVersion": "7", "annotations": annotations}
    ports = [{"port": 80, "targetPort": "http"}, {"port": 443, "targetPort": 8443}]
    return {"metadata": metadata, "spec": {"selector": selector, "ports": ports}}


def test_the_selector_and_the_way_back_are_one_patch() -> None:
    step = selector_step(entry({"app": "nginx", "tier": "edge"}), NEW, Direction.FORTH)
    assert step is not None
    assert step.path == "/api/v1/namespaces/in/services/entry"
    assert step.patch == {
        "metadata": {"resourceVersion": "7", "annotations": {FORMER_SELECTOR: '{"app": "nginx", "tier": "edge"}'}},
        "spec": {"selector": {"app": "remora", "tier": None}},
    }
    back = selector_step(entry(NEW, **{FORMER_SELECTOR: '{"app": "nginx", "tier": "edge"}'}), NEW, Direction.BACK)
    assert back is not None
    assert back.patch["spec"] == {"selector": {"app": "nginx", "tier": "edge"}}
    assert back.patch["metadata"]["annotations"] == {FORMER_SELECTOR: None}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_without_a_former_selector_there_is_no_way_back(text: str) -> None:
    assert selector_step(entry(NEW, **{FORMER_SELECTOR: text}), NEW, Direction.BACK) is None


def test_a_service_that_leads_there_already_needs_no_step() -> None:
    assert selector_step(entry(NEW), NEW, Direction.FORTH) is None
    assert selector_step(entry(NEW, **{FORMER_SELECTOR: '{"app": "nginx"}'}), NEW, Direction.FORTH) is None


def an_ingress(name: str, class_name: str | None, **annotations: str) -> dict[str, Any]:
    written = {key.replace("_", "/"): text for key, text in annotations.items()}
    spec = {} if class_name is None else {"ingressClassName": class_name}
    return {"metadata": {"name": name, "namespace": "n", "annotations": written}, "spec": spec}


ANNOTATED = {"kubernetes.io/ingress.class": "nginx"}


def test_classes_are_moved_one_by_one_and_back() -> None:
    ingresses = [an_ingress("b", "nginx"), an_ingress("a", None, **ANNOTATED), an_ingress("c", "other"), an_ingress("d", None)]
    first, second = class_steps(ingresses, "nginx", "remora", Direction.FORTH)
    assert first.patch["metadata"]["annotations"] == {FORMER_CLASS: "annotation:nginx", "kubernetes.io/ingress.class": None}
    assert second.patch["metadata"]["annotations"] == {FORMER_CLASS: "nginx"}
    assert second.patch["spec"] == {"ingressClassName": "remora"}
    assert second.said == "give Ingress n/b the class remora instead of nginx"
    moved = [
        an_ingress("a", "remora", **{FORMER_CLASS: "annotation:nginx"}),
        an_ingress("b", "remora", **{FORMER_CLASS: "nginx"}),
    ]
    assert list(class_steps(moved, "nginx", "remora", Direction.FORTH)) == []
    first, second = class_steps(moved, "nginx", "remora", Direction.BACK)
    assert first.patch["spec"] == {"ingressClassName": None}
    assert first.patch["metadata"]["annotations"] == {FORMER_CLASS: None, "kubernetes.io/ingress.class": "nginx"}
    assert second.patch["spec"] == {"ingressClassName": "nginx"}


def test_the_objects_say_how_far_it_has_come() -> None:
    (step,) = class_steps([an_ingress("b", "nginx")], "nginx", "remora", Direction.FORTH)
    assert state_of([step], []) is State.BEFORE
    assert state_of([step], [step]) is State.BETWEEN
    assert state_of([], [step]) is State.MOVED


METRICS = """\
# HELP remora_requests_total Requests.
remora_requests_total{code="200",host="a"} 90.0
remora_requests_total{code="503",host="a"} 10.0
remora_sessions_broken_total{namespace="n",reason="gone",service="s"} 3.0
remora_sessions_broken_total{namespace="n",reason="expired",service="s"} 7.0
remora_requests_total{code="200"}
remora_requests_total{code="200"} many
nginx_ingress_controller_requests{status="502"} 1
other 5
"""


def test_requests_errors_and_broken_sessions_are_read_and_expired_ones_are_nobodys_fault() -> None:
    assert parse_reading(METRICS) == Reading(101, 11, 3)


def test_what_was_counted_survives_a_restart_and_a_new_controller() -> None:
    before = {"a": Reading(100, 5, 1), "b": Reading(10)}
    assert added(before, {"a": Reading(150, 5, 2), "c": Reading(7)}) == Reading(57, 0, 1)
    assert added(before, {"a": Reading(20, 1, 0), "b": Reading(10)}) == Reading(20, 1, 0)


@pytest.mark.parametrize(
    ("counted", "limits", "silent", "why"),
    [
        (Reading(100, 0, 0), Limits(), 0, ""),
        (Reading(100, 1, 0), Limits(), 0, ""),
        (Reading(100, 2, 0), Limits(), 0, "2.0% of 100 requests were answered with 5xx, 1.0% are allowed"),
        (Reading(100, 2, 0), Limits(usual_share=0.02), 0, ""),
        (Reading(5, 5, 0), Limits(), 0, ""),
        (Reading(5, 0, 1), Limits(), 0, "1 sessions were broken, 0 are allowed"),
        (Reading(5, 0, 1), Limits(broken=1), 2, ""),
        (Reading(), Limits(), 3, "no controller has answered 3 times in a row"),
    ],
)
def test_it_goes_back_for_a_reason(counted: Reading, limits: Limits, silent: int, why: str) -> None:
    assert judge(counted, limits, silent=silent) == why


def a_pod(name: str, *, ready: bool = True, cpu: str = "", port: str = "http") -> dict[str, Any]:
    container = {"ports": [{"name": port}], "resources": {"requests": {"cpu": cpu}} if cpu else {}}
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": status}


@pytest.mark.parametrize(
    ("old", "new", "is_met"),
    [
        ([a_pod("a")], [], False),
        ([a_pod("a")], [a_pod("b", ready=False)], False),
        ([a_pod("a")], [a_pod("b")], True),
        ([a_pod("a"), a_pod("c")], [a_pod("b")], False),
        ([a_pod("a", cpu="200m"), a_pod("c", cpu="200m")], [a_pod("b", cpu="0.5")], True),
        ([a_pod("a", cpu="1")], [a_pod("b", cpu="500m")], False),
        ([a_pod("a", cpu="odd")], [a_pod("b")], True),
    ],
)
def test_there_must_be_as_much_of_remora_as_of_the_old_controller(
    old: list[dict[str, Any]], new: list[dict[str, Any]], is_met: bool
) -> None:
    assert capacity_check(old, new).is_met is is_met


def test_remoras_pods_must_have_the_ports_of_the_entry() -> None:
    assert ports_check(entry({}), [a_pod("a")]).is_met
    assert ports_check(entry({}), [a_pod("a", port="web")]).note == "pod a has no port http"


def test_a_selector_without_labels_selects_nothing() -> None:
    assert matches({"a": "b", "c": "d"}, {"a": "b"})
    assert not matches({"a": "x"}, {"a": "b"})
    assert not matches({"a": "b"}, {})


def test_problems_and_comparisons_are_checked() -> None:
    assert problems_check(Report(3)).is_met
    ref = ObjectRef("Ingress", NamespacedName("n", "a"))
    wrong = Finding(Place(), ref, "f", Verdict.REFUSED, reason="why")
    assert problems_check(Report(3, (wrong, wrong))).note.startswith("Ingress n/a: f: why, and 1 more")
    assert not comparison_check(None, 0).is_met
    assert comparison_check(Comparison(5, 2), 10).is_met
    assert not comparison_check(Comparison(5, 2), 100_000).is_met
    assert not comparison_check(Comparison(5, differences=(Difference("r", "body", "a", "b"),)), 10).is_met
