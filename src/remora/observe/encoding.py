"""Long reports as JSON. One call that makes ten megabytes keeps Python's lock for 60 ms, in whatever thread it is."""

import msgspec

PART = 500
"""Members of a sequence that are encoded in one call."""


def encode_report(report: msgspec.Struct) -> bytes:
    """What `msgspec.json.encode` makes of it, whose long sequences are encoded part by part."""
    fields = msgspec.structs.fields(report)
    return msgspec.json.encode({field.encode_name: _in_parts(getattr(report, field.name)) for field in fields})


def _in_parts(value: object) -> object:
    if not isinstance(value, tuple) or len(value) <= PART:
        return value
    parts = (msgspec.json.encode(value[first : first + PART])[1:-1] for first in range(0, len(value), PART))
    return msgspec.Raw(b"[" + b",".join(parts) + b"]")
