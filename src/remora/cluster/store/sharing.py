"""One copy of what is the same in many objects. Pure.

Who owns which fields (`managedFields`) says the same for all objects that were written alike, and as a tree of dictionaries it
takes more memory than the rest of most objects. Stored objects are never changed, so they may have it in common.
"""

from typing import Any

import msgspec

Object = dict[str, Any]

_MOST = 2000
"""Different trees that are remembered; then it begins anew, and those in use stay with their objects."""


class Sharing:
    """Remembers trees by their text."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def metadata(self, metadata: Object) -> Object:
        """The same metadata, with trees that other objects have."""
        entries = metadata.get("managedFields")
        if not isinstance(entries, list):
            return metadata
        return {**metadata, "managedFields": [self._entry(entry) for entry in entries]}

    def _entry(self, entry: Any) -> Any:
        if not isinstance(entry, dict) or "fieldsV1" not in entry:
            return entry
        text = msgspec.json.encode(entry["fieldsV1"])
        if len(self._known) >= _MOST:
            self._known.clear()
        return {**entry, "fieldsV1": self._known.setdefault(text, entry["fieldsV1"])}
