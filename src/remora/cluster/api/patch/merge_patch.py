"""JSON Merge Patch (RFC 7396). Pure."""

from typing import Any


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch's values; null removes, anything but an object replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_merge_patch(merged.get(key), value)
    return merged
