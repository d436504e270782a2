"""The switch from the old controller to Remora, decided step by step.

Every step is one patch of one object, and the patch carries, as an annotation, what it takes to go back. So the objects
themselves say how far a switch has come, whatever happened to the process that made it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import msgspec

from remora.annotations.declare import FORMER_CLASS
from remora.migrate.compare import Comparison
from remora.report.findings import Report, Verdict

FORMER_SELECTOR = "remora.io/former-selector"
"""On the entry Service that leads to Remora: its selector of before, as JSON."""
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_ENDED = "expired"
"""The reason of sessions that ended because their time was over, which is nobody's fault."""

OLDEST_COMPARISON = 24 * 3600.0
"""Seconds after which a comparison says nothing of the cluster of today."""

CHECKS = ("problems", "comparison", "capacity", "ports", "metrics", "class")
"""The names of all checks, by which one is accepted although it is not met."""

Object = Mapping[str, Any]


class Check(msgspec.Struct, frozen=True):
    """Something that must be so before anything is moved."""

    name: str
    is_met: bool
    note: str


class Step(msgspec.Struct, frozen=True):
    """One patch. `said` tells people what it does."""

    path: str
    patch: dict[str, Any]
    said: str


class Direction(Enum):
    """Which way to go."""

    FORTH = "forth"
    BACK = "back"


class State(Enum):
    """How far a switch has come, as the objects say."""

    BEFORE = "nothing is moved: the old controller serves"
    BETWEEN = "some Ingresses are moved, the others are not; each is served by the controller of its class"
    MOVED = "everything is moved: Remora serves"


class Reading(msgspec.Struct, frozen=True):
    """Counters of all controllers together."""

    requests: float = 0.0
    errors: float = 0.0
    broken: float = 0.0

    def since(self, before: "Reading") -> "Reading":
        """What was added; counters that are lower than before have begun anew."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(before), strict=True)
        return Reading(*(now - then if now >= then else now for now, then in pairs))

    def __add__(self, other: "Reading") -> "Reading":
        return Reading(self.requests + other.requests, self.errors + other.errors, self.broken + other.broken)


class Limits(msgspec.Struct, frozen=True):
    """When to go back."""

    error_share: float = 0.01
    """Of answers with 5xx, on top of the share that the old controller had."""
    usual_share: float = 0.0
    broken: int = 0
    least_requests: int = 20
    """Fewer requests say nothing of a share."""
    silent_looks: int = 3
    """So many looks in a row at which no controller answers."""


def selector_step(service: Object, wanted: Mapping[str, str], direction: Direction) -> Step | None:
    """Leads the entry Service to other pods, or back; None where it leads there already."""
    former = former_selector(service)
    current = dict((service.get("spec") or {}).get("selector") or {})
    if direction is Direction.FORTH:
        if former is not None or current == dict(wanted):
            return None
        kept, target = json.dumps(current, sort_keys=True), dict(wanted)
    else:
        if former is None:
            return None
        kept, target = None, former
    changed: dict[str, str | None] = {key: None for key in current if key not in target} | target
    metadata = service["metadata"]
    name = f"{metadata['namespace']}/{metadata['name']}"
    patch = {
        "metadata": {"resourceVersion": metadata.get("resourceVersion"), "annotations": {FORMER_SELECTOR: kept}},
        "spec": {"selector": changed},
    }
    said = f"lead Service {name} to pods with {selector_text(target)} instead of {selector_text(current)}"
    return Step(f"/api/v1/namespaces/{metadata['namespace']}/services/{metadata['name']}", patch, said)


def former_selector(service: Object) -> dict[str, str] | None:
    """The selector of before the switch; None where there was none."""
    text = ((service.get("metadata") or {}).get("annotations") or {}).get(FORMER_SELECTOR)
    try:
        said = json.loads(text) if text else None
    except ValueError:
        return None
    return {str(key): str(value) for key, value in said.items()} if isinstance(said, dict) and said else None


def selector_text(selector: Mapping[str, str]) -> str:
    """As kubectl writes it."""
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or "no labels"


def class_steps(ingresses: Iterable[Object], old: str, new: str, direction: Direction) -> Iterator[Step]:
    """Gives every Ingress of one class the other, or its own back; in the order of names.

    The class of before is kept under FORMER_CLASS, as `annotation:NAME` where an annotation named it.
    """
    for ingress in sorted(ingresses, key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"])):
        metadata = ingress["metadata"]
        annotations = metadata.get("annotations") or {}
        former = annotations.get(FORMER_CLASS)
        if (former is not None) is (direction is Direction.FORTH):
            continue
        current = class_of(ingress)
        if direction is Direction.FORTH and current != old:
            continue
        patch = _forth(ingress, old, new) if direction is Direction.FORTH else _back(str(former))
        patch["metadata"]["resourceVersion"] = metadata.get("resourceVersion")
        name = f"{metadata['namespace']}/{metadata['name']}"
        target = new if direction is Direction.FORTH else str(former).removeprefix("annotation:")
        path = f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}"
        yield Step(path, patch, f"give Ingress {name} the class {target} instead of {current}")


def class_of(ingress: Object) -> str:
    """The class that an Ingress names, in its field or in the annotation of old; "" for none."""
    named = (ingress.get("spec") or {}).get("ingressClassName")
    return str(named or (ingress["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION) or "")


def _forth(ingress: Object, old: str, new: str) -> dict[str, Any]:
    annotated = not (ingress.get("spec") or {}).get("ingressClassName")
    annotations: dict[str, str | None] = {FORMER_CLASS: f"annotation:{old}" if annotated else old}
    if annotated:
        annotations[CLASS_ANNOTATION] = None
    return {"metadata": {"annotations": annotations}, "spec": {"ingressClassName": new}}


def _back(former: str) -> dict[str, Any]:
    kind, colon, name = former.partition(":")
    annotations: dict[str, str | None] = {FORMER_CLASS: None}
    if colon:
        annotations[CLASS_ANNOTATION] = name
    return {"metadata": {"annotations": annotations}, "spec": {"ingressClassName": None if colon else kind}}


def state_of(forth: Sequence[Step], back: Sequence[Step]) -> State:
    """How far the switch has come: what is left to do, and what could be undone."""
    if not back:
        return State.BEFORE
    return State.BETWEEN if forth else State.MOVED


def added(before: Mapping[str, Reading], now: Mapping[str, Reading]) -> Reading:
    """What all controllers counted from one look to the next; one that is new has counted all that it says."""
    return sum((reading.since(before.get(name, Reading())) for name, reading in now.items()), Reading())


def judge(counted: Reading, limits: Limits, *, silent: int = 0) -> str:
    """Why to go back; "" if there is no reason to.

    `counted` is what was counted since the switch, and `silent` the number of looks in a row at which nobody answered.
    """
    if silent >= limits.silent_looks:
        return f"no controller has answered {silent} times in a row"
    if counted.broken > limits.broken:
        return f"{counted.broken:g} sessions were broken, {limits.broken} are allowed"
    if counted.requests >= limits.least_requests:
        share, allowed = counted.errors / counted.requests, limits.usual_share + limits.error_share
        if share > allowed:
            return f"{share:.1%} of {counted.requests:g} requests were answered with 5xx, {allowed:.1%} are allowed"
    return ""


def parse_reading(text: str) -> Reading:
    """The counters that count here, of the metrics of Remora or of ingress-nginx."""
    requests = errors = broken = 0.0
    for line in text.splitlines():
        name, _, rest = line.partition("{")
        labels, _, number = rest.rpartition("}")
        if name in ("remora_requests_total", "nginx_ingress_controller_requests"):
            value = _number(number)
            requests += value
            errors += value if 'code="5' in labels or 'status="5' in labels else 0.0
        elif name == "remora_sessions_broken_total" and f'reason="{_ENDED}"' not in labels:
            broken += _number(number)
    return Reading(requests, errors, broken)


def _number(text: str) -> float:
    words = text.split()
    try:
        return float(words[0]) if words else 0.0
    except ValueError:
        return 0.0


def problems_check(report: Report) -> Check:
    """Whether Remora serves every Ingress as it is written."""
    wrong = [one for one in report.findings if one.closes or one.verdict is Verdict.REFUSED]
    if not wrong:
        return Check("problems", True, f"{report.ingresses} Ingresses are served as they are written")
    first = wrong[0]
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Check("problems", False, f"{first.object}: {first.field}: {first.reason}{more}; `remora check --cluster` has all")


def comparison_check(comparison: Comparison | None, age: float) -> Check:
    """Whether the shadow was compared lately, and answered as the old controller does. `age` is in seconds."""
    name = "comparison"
    if comparison is None:
        return Check(name, False, "give the result of `remora migrate compare --output json` with --comparison FILE")
    said = (
        f"{comparison.requests} requests and {comparison.sessions} sessions compared, {len(comparison.unexpected)} differences"
    )
    if age > OLDEST_COMPARISON:
        return Check(name, False, f"{said}; that was {age / 3600:.0f} hours ago, compare again")
    return Check(name, comparison.is_clean, said)


def capacity_check(old_pods: Sequence[Object], new_pods: Sequence[Object]) -> Check:
    """Whether Remora's ready pods ask for as much CPU as the old controller's, or are as many where none says."""
    old, new = [pod for pod in old_pods if is_ready(pod)], [pod for pod in new_pods if is_ready(pod)]
    if not new:
        return Check("capacity", False, "no pod of Remora is ready")
    before, after = sum(map(cpu_of, old)), sum(map(cpu_of, new))
    note = f"{len(new)} ready pods of Remora ({after:g} CPU) for {len(old)} of the old controller ({before:g} CPU)"
    enough = after >= before if before and after else len(new) >= len(old)
    return Check("capacity", enough, note)


def ports_check(service: Object, new_pods: Sequence[Object]) -> Check:
    """Whether Remora's pods have every port to which the entry Service leads by name."""
    wanted = {port.get("targetPort", port["port"]) for port in (service.get("spec") or {}).get("ports") or ()}
    named = {one for one in wanted if isinstance(one, str)}
    for pod in new_pods:
        containers = (pod.get("spec") or {}).get("containers") or ()
        if lacking := named - {port.get("name") for one in containers for port in one.get("ports") or ()}:
            return Check("ports", False, f"pod {pod['metadata']['name']} has no port {', '.join(sorted(lacking))}")
    return Check("ports", True, f"Remora's pods have the ports {', '.join(sorted(map(str, wanted))) or 'of the Service'}")


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not (pod.get("metadata") or {}).get("deletionTimestamp")


def cpu_of(pod: Object) -> float:
    """CPUs that a pod's containers ask for."""
    containers = (pod.get("spec") or {}).get("containers") or ()
    return sum(_cpus(((one.get("resources") or {}).get("requests") or {}).get("cpu", 0)) for one in containers)


def _cpus(text: Any) -> float:
    written = str(text)
    try:
        return float(written[:-1]) / 1000 if written.endswith("m") else float(written)
    except ValueError:
        return 0.0


def matches(labels: Mapping[str, str], selector: Mapping[str, str]) -> bool:
    """Whether a selector selects an object with these labels; one without labels selects nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
