"""A custom resource as it comes in a request's body: of the right kind, with sound metadata, without unknown fields. Pure."""

from typing import Any

from remora.cluster.api.custom.shaping import pruned
from remora.cluster.api.custom.version import CustomVersion
from remora.cluster.api.decoding import Decoded, decode_metadata
from remora.cluster.api.errors import bad_request, render_value
from remora.cluster.api.parsing import doubled_fields

Object = dict[str, Any]


def decode_custom(value: Any, version: CustomVersion, *, api_version: str, kind: str) -> Decoded:
    """An object as its schema has it; `problems` says what that left out.

    Raises:
        ApiError: BadRequest; it is no object of this kind and version, or its metadata has the wrong shape.
    """
    if not isinstance(value, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
    _check_kind(value, api_version, kind)
    problems = list(doubled_fields(value))
    kept = pruned(value, version.node, "", lambda path: problems.append(f'unknown field "{path}"'), is_object=True)
    if "metadata" in kept:
        metadata = decode_metadata(kept["metadata"] or {}, api_version=api_version, kind=kind)
        kept["metadata"] = metadata.object
        problems += metadata.problems
    return Decoded({**kept, "apiVersion": api_version, "kind": kind}, tuple(problems))


def _check_kind(value: Object, api_version: str, kind: str) -> None:
    for name in ("kind", "apiVersion"):
        if not value.get(name):
            raise bad_request(f"Object '{name[0].upper()}{name[1:]}' is missing in '{render_value(value)[:1000]}'")
    if value["apiVersion"] != api_version:
        given = value["apiVersion"]
        raise bad_request(f"the API version in the data ({given}) does not match the expected API version ({api_version})")
    if value["kind"] != kind:
        raise bad_request(f"the kind in the data ({value['kind']}) does not match the expected kind ({kind})")
