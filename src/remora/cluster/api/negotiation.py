"""Which form of an answer a client accepts: JSON or YAML, the object itself, a Table, or its metadata only. Pure."""

from collections.abc import Iterator

import msgspec

from remora.cluster.api.errors import not_acceptable

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
AVAILABLE = (JSON, YAML, PROTOBUF)
"""As Kubernetes lists them. We read protobuf and do not write it: clients only ask for it with JSON as the alternative."""

DISCOVERY = "APIGroupDiscoveryList"
TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"

_CONVERSIONS = {
    (TABLE, "meta.k8s.io", "v1"),
    (PARTIAL, "meta.k8s.io", "v1"),
    (PARTIAL_LIST, "meta.k8s.io", "v1"),
}


class MediaType(msgspec.Struct, frozen=True):
    """One alternative of an Accept header."""

    name: str
    parameters: dict[str, str]


class Form(msgspec.Struct, frozen=True):
    """`media` is JSON or YAML; `target` is "" for the object as it is, or the kind to show it as."""

    media: str = JSON
    target: str = ""


def parse_accept(header: str) -> Iterator[MediaType]:
    """The alternatives, best first (RFC 9110, section 12.5.1)."""
    found = [parse_media_type(part) for part in header.split(",") if part.strip()]
    yield from sorted(found, key=lambda media: -_quality(media))


def parse_media_type(text: str) -> MediaType:
    name, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest if part)
    return MediaType(name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs})


def negotiate(header: str) -> Form:
    """The first acceptable form of an object or a list.

    Raises:
        ApiError: NotAcceptable.
    """
    for media in parse_accept(header or JSON):
        form = _find_form(media)
        if form is not None:
            return form
    raise not_acceptable(AVAILABLE)


def is_discovery_aggregated(header: str) -> bool:
    """Whether all groups are wanted in one document, before the older form."""
    for media in parse_accept(header):
        if media.parameters.get("as") == DISCOVERY:
            return media.parameters.get("g") == "apidiscovery.k8s.io" and media.parameters.get("v") == "v2"
        if _find_form(media) is not None:
            return False
    return False


def _find_form(media: MediaType) -> Form | None:
    name = {"*/*": JSON, "application/*": JSON, "text/yaml": YAML}.get(media.name, media.name)
    if name not in (JSON, YAML):
        return None
    target = media.parameters.get("as", "")
    if not target:
        return Form(name)
    known = (target, media.parameters.get("g", ""), media.parameters.get("v", "")) in _CONVERSIONS
    return Form(name, target) if known else None


def _quality(media: MediaType) -> float:
    try:
        return float(media.parameters.get("q", "1"))
    except ValueError:
        return 0.0
