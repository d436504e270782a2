"""Checks of Deployments and their kin: replicas, selector, template."""

from collections.abc import Iterator, Mapping

from remora.cluster.api.errors import Cause, invalid_value, required
from remora.cluster.api.names import check_labels
from remora.cluster.api.validation.fields import Object, check_not_negative, check_selector
from remora.cluster.api.validation.pods import check_pod_spec
from remora.cluster.objects import selector_matches


def check_workload(workload: Object) -> Iterator[Cause]:
    spec = workload["spec"]
    yield from check_not_negative(spec.get("replicas"), "spec.replicas")
    template = spec["template"]
    labels = template["metadata"].get("labels")
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield invalid_value("spec.selector", selector, "empty selector is invalid for deployment")
    else:
        yield from check_selector(selector, "spec.selector")
    if not _selects(selector, labels or {}):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from check_labels(labels or {}, "spec.template.labels")
    yield from check_pod_spec(_with_claims(spec), "spec.template.spec")
    if template["spec"].get("restartPolicy") in ("OnFailure", "Never"):
        detail = f'Unsupported value: "{template["spec"]["restartPolicy"]}": supported values: "Always"'
        yield Cause("spec.template.spec.restartPolicy", "FieldValueNotSupported", detail)


def _with_claims(spec: Object) -> Object:
    """The template's pod with the volumes that a StatefulSet's `volumeClaimTemplates` will give it."""
    pod: Object = spec["template"]["spec"]
    names = {volume.get("name") for volume in pod.get("volumes") or ()}
    claimed = {(claim.get("metadata") or {}).get("name") for claim in spec.get("volumeClaimTemplates") or ()} - names
    return {
        **pod,
        "volumes": [*(pod.get("volumes") or ()), *({"name": name, "emptyDir": {}} for name in sorted(map(str, claimed)))],
    }


def _selects(selector: Mapping[str, object] | None, labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector_matches(selector, labels)


def check_selector_update(workload: Object, before: Object) -> Iterator[Cause]:
    selector = workload["spec"].get("selector")
    if selector != before["spec"].get("selector"):
        yield invalid_value("spec.selector", selector, "field is immutable")
