"""The IngressClass of an Ingress that names none (Kubernetes' admission plugin DefaultIngressClass)."""

from collections.abc import Iterable, Mapping
from typing import Any

from remora.cluster.api.registry import Registry
from remora.cluster.objects import Object, annotations_of

INGRESSES = "ingresses.networking.k8s.io"
CLASSES = "ingressclasses.networking.k8s.io"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"


def default_class(classes: Iterable[Mapping[str, Any]]) -> str:
    """The name of the default class, "" if there is none: of several the newest, of equally old ones the first by name."""
    defaults = [found["metadata"] for found in classes if annotations_of(found).get(DEFAULT_CLASS) == "true"]
    by_name = sorted(defaults, key=lambda metadata: str(metadata["name"]))
    # Times are written so that their order is that of their texts; `max` keeps the first of equals.
    newest = max(by_name, key=lambda metadata: str(metadata.get("creationTimestamp", "")), default=None)
    return "" if newest is None else str(newest["name"])


class ClassAdmission:
    """Attaches itself to Ingresses: a new one with neither class nor class annotation gets the default class."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def attach(self) -> None:
        self._registry.add_admission(INGRESSES, self._admit)

    def _admit(self, ingress: Object, before: Object | None) -> Object:
        spec = ingress.get("spec") or {}
        if before is not None or spec.get("ingressClassName") is not None or _CLASS_ANNOTATION in annotations_of(ingress):
            return ingress
        name = default_class(self._registry.list(CLASSES)[0])
        return {**ingress, "spec": {**spec, "ingressClassName": name}} if name else ingress
