"""Definitions and schemas for tests."""

from typing import Any

Object = dict[str, Any]

SCHEMA: Object = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}


def definition(schema: Object | None = None, *, plural: str = "widgets", **version: Any) -> Object:
    kind = plural.removesuffix("s").title()
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or SCHEMA}, **version}
    spec = {"group": "example.com", "scope": "Namespaced", "names": {"plural": plural, "kind": kind}, "versions": [one]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": spec,
    }


def with_spec(**fields: Any) -> Object:
    """A schema of an object whose specification has these fields."""
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
