"""Bodies of requests: JSON, YAML or protobuf to objects of the stored version, and what field validation says about them."""

from typing import Any

import msgspec

from remora.cluster.api.conversion import to_stored
from remora.cluster.api.decoding import strict_error
from remora.cluster.api.errors import Object, bad_request, invalid_options, unsupported, unsupported_media_type
from remora.cluster.api.http_message import Request
from remora.cluster.api.kinds import decode_as
from remora.cluster.api.negotiation import AVAILABLE, JSON, PROTOBUF, YAML, parse_media_type
from remora.cluster.api.parsing import load_yaml, parse_json
from remora.cluster.api.protobuf import decode_protobuf
from remora.cluster.api.resources import Resource

_VALIDATIONS = ("Ignore", "Warn", "Strict")


class Read(msgspec.Struct, frozen=True):
    """An object of the resource's stored version, and what a client should be told about how it was written."""

    object: Object
    warnings: tuple[str, ...]


def read_object(request: Request, row: Resource, *, options: str) -> Read:
    """The object in a body; `options` is the kind of the request's options, for messages.

    Raises:
        ApiError: 415 for another media type, BadRequest for what is no such object or breaks strict field validation.
    """
    validation = field_validation(request, options)
    decoded = decode_as(row, read_value(request, row.kind))
    if decoded.problems and validation == "Strict":
        raise strict_error(decoded.problems, api_version=row.api_version, kind=row.kind)
    warnings = decoded.problems if validation == "Warn" else ()
    return Read(to_stored(row, decoded.object), tuple(warnings))


def read_value(request: Request, kind: str) -> Any:
    """What a body says, not yet held against any type."""
    media = parse_media_type(request.content_type).name or JSON
    if media == JSON:
        return parse_json(request.body, kind)
    if media == PROTOBUF:
        return decode_protobuf(request.body)
    if media not in (YAML, "text/yaml"):
        raise unsupported_media_type(AVAILABLE)
    return load_yaml(request.body)


def read_options(request: Request, kind: str) -> Object:
    """The options in a body, such as DeleteOptions; {} without a body.

    Raises:
        ApiError: BadRequest; the body is no object.
    """
    if not request.body:
        return {}
    found = read_value(request, kind)
    if not isinstance(found, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind})")
    return found


def field_validation(request: Request, options: str) -> str:
    """What is to be done about unknown and doubled fields, Warn by default.

    Raises:
        ApiError: Invalid; it is none of the known words.
    """
    text = request.query.get("fieldValidation", "")
    if text and text not in _VALIDATIONS:
        raise invalid_options(options, unsupported("fieldValidation", text, ("", *_VALIDATIONS)))
    return text or "Warn"
