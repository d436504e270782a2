"""Patches: what each media type means, applied to an object in the version of the request. Pure.

Server-side apply needs to know who owns which field and is in `apply`.
"""

import copy
from typing import Any

import msgspec

from remora.cluster.api.errors import ApiError, bad_request
from remora.cluster.api.patch.faults import PatchError, rejected, undecodable
from remora.cluster.api.patch.json_patch import MOST_OPERATIONS, apply_json_patch
from remora.cluster.api.patch.merge_patch import apply_merge_patch
from remora.cluster.api.patch.strategic import apply_strategic_patch
from remora.cluster.api.schemas import schema_of

Object = dict[str, Any]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

_GO_KINDS = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}


def unsupported_patch() -> ApiError:
    """For a media type that is none of `PATCH_TYPES`."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def patched(obj: Object, body: bytes, patch_type: str) -> Object:
    """The object after the patch; neither checked nor converted yet.

    Raises:
        ApiError: BadRequest for what is no patch, Invalid for a JSON patch that does not fit, 415 for another media type.
    """
    try:
        patch = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise undecodable(str(error)) from None
    if patch_type == JSON_PATCH:
        return _json_patched(obj, patch)
    if patch_type not in (MERGE_PATCH, STRATEGIC_PATCH):
        raise unsupported_patch()
    if not isinstance(patch, dict):
        kind = _GO_KINDS.get(type(patch), "null")
        raise undecodable(f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
    if patch_type == MERGE_PATCH:
        merged: Object = apply_merge_patch(obj, patch)
        return merged
    try:
        return apply_strategic_patch(copy.deepcopy(obj), patch, schema_of(obj["apiVersion"], obj["kind"]))
    except PatchError as error:
        raise bad_request(str(error)) from None


def _json_patched(obj: Object, patch: Any) -> Object:
    if not isinstance(patch, list):
        kind = _GO_KINDS.get(type(patch), "null")
        raise undecodable(f"json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp")
    if len(patch) > MOST_OPERATIONS:
        why = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {why}", details={})
    try:
        result = apply_json_patch(obj, patch)
    except PatchError:
        raise rejected() from None
    if not isinstance(result, dict):
        raise rejected()
    return result


__all__ = ["APPLY_PATCH", "JSON_PATCH", "MERGE_PATCH", "PATCH_TYPES", "STRATEGIC_PATCH", "patched", "unsupported_patch"]
