"""Which class a new Ingress gets that names none."""

from typing import Any

from remora.cluster.api.conversion import to_stored
from remora.cluster.api.ingressclass import CLASSES, DEFAULT_CLASS, INGRESSES, ClassAdmission, default_class
from remora.cluster.api.registry import Object, Registry


def ingress_class(name: str, default: str = "true", **metadata: Any) -> Object:
    return {
        "metadata": {"name": name, "annotations": {DEFAULT_CLASS: default}, **metadata},
        "spec": {"controller": "example.com/it"},
    }


def ingress(name: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}, **spec}}


async def test_a_new_ingress_without_a_class_gets_the_default_one(registry: Registry) -> None:
    ClassAdmission(registry).attach()
    before = await registry.create(INGRESSES, ingress("before"))
    for made in (ingress_class("nginx"), ingress_class("other", "false")):
        await registry.create(CLASSES, made)
    named = await registry.create(INGRESSES, ingress("named", ingressClassName="other"))
    annotated = await registry.create(INGRESSES, ingress("annotated", annotations={"kubernetes.io/ingress.class": "other"}))
    plain = await registry.create(INGRESSES, ingress("plain"))
    classes = [found["spec"].get("ingressClassName") for found in (before, named, annotated, plain)]
    assert classes == [None, "other", None, "nginx"]


async def test_an_old_ingress_without_a_class_gets_the_default_one_too(registry: Registry) -> None:
    ClassAdmission(registry).attach()
    await registry.create(CLASSES, ingress_class("nginx"))
    row = next(row for row in registry.resources.rows if (row.api_version, row.kind) == ("extensions/v1beta1", "Ingress"))
    old = {"metadata": {"name": "old", "namespace": "default"}, "spec": {"backend": {"serviceName": "web", "servicePort": 80}}}
    made = await registry.create(INGRESSES, to_stored(row, old))
    assert made["spec"]["ingressClassName"] == "nginx"


async def test_an_ingress_that_is_changed_keeps_having_no_class(registry: Registry) -> None:
    ClassAdmission(registry).attach()
    await registry.create(INGRESSES, ingress("before"))
    await registry.create(CLASSES, ingress_class("nginx"))
    changed = await registry.update(INGRESSES, ingress("before", annotations={"a": "b"}))
    assert "ingressClassName" not in changed["spec"]


def test_of_several_default_classes_the_newest_counts_and_of_equally_old_ones_the_first_by_name() -> None:
    old, new = {"creationTimestamp": "2026-01-01T00:00:00Z"}, {"creationTimestamp": "2026-01-02T00:00:00Z"}
    assert default_class([ingress_class("a", **old), ingress_class("c", **new), ingress_class("b", **new)]) == "b"
    assert default_class([ingress_class("a", "false", **old)]) == ""
