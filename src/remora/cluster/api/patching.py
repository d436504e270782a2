"""PATCH: from a request's body to the stored object, through the request's version and the checks of any update."""

from typing import Any, NamedTuple

import msgspec

from remora.cluster.api import errors
from remora.cluster.api.conversion import from_stored, to_stored
from remora.cluster.api.decoding import Decoded, strict_error
from remora.cluster.api.kinds import decode_as, type_of
from remora.cluster.api.parsing import parse_yaml
from remora.cluster.api.patch import APPLY_PATCH, patched
from remora.cluster.api.patch.apply import Applier, applied, check_manager
from remora.cluster.api.patch.updates import Writer
from remora.cluster.api.registry import Registry, render_time
from remora.cluster.api.resources import Resource

Object = dict[str, Any]


class PatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`patch_type` is the media type without parameters; the rest is the query (`PatchOptions`)."""

    patch_type: str
    body: bytes
    field_manager: str = ""
    writer: Writer | None = None
    force: bool = False
    dry_run: bool = False
    field_validation: str = "Warn"


class Patched(NamedTuple):
    """The object in the request's version; `problems` are for Warning headers."""

    object: Object
    is_new: bool
    problems: tuple[str, ...]


async def patch(
    registry: Registry, row: Resource, namespace: str, name: str, request: PatchRequest, *, subresource: str = ""
) -> Patched:
    """Patches an object, or creates it if it is applied and does not exist. Nothing can come between reading and writing it.

    Raises:
        ApiError: NotFound, BadRequest, Conflict, Invalid or UnsupportedMediaType.
    """
    stored = registry.find(row.storage, namespace, name)
    if request.patch_type == APPLY_PATCH:
        return await _apply(registry, row, namespace, name, request, stored, subresource=subresource)
    if request.force:
        cause = errors.forbidden_field("force", "may not be specified for non-apply patch")
        raise errors.invalid_options("PatchOptions", cause)
    if stored is None:
        raise errors.not_found(row.plural, name, group=row.group)
    before = from_stored(row, stored)
    decoded = _decoded(row, patched(before, request.body, request.patch_type), request)
    _check_identity(decoded.object, namespace, name)
    wanted = to_stored(row, decoded.object)
    obj = await registry.update(row.storage, wanted, subresource=subresource, dry_run=request.dry_run, writer=request.writer)
    return Patched(from_stored(row, obj), False, decoded.problems)


async def _apply(
    registry: Registry,
    row: Resource,
    namespace: str,
    name: str,
    request: PatchRequest,
    stored: Object | None,
    *,
    subresource: str,
) -> Patched:
    check_manager(request.field_manager)
    config = _decoded(row, parse_yaml(request.body, row.kind), request)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **(config.object.get("metadata") or {})}
    manifest = {**config.object, "metadata": metadata}
    if row.has_status and not subresource:
        manifest.pop("status", None)
    _check_identity(manifest, namespace, name)
    live = from_stored(row, stored) if stored is not None else None
    if live is None and (subresource or metadata.get("uid")):
        raise errors.not_found(row.plural, name, group=row.group)
    applier = Applier(
        manager=request.field_manager, time=render_time(registry.now()), force=request.force, subresource=subresource
    )
    obj = to_stored(row, applied(live, manifest, applier, type_of(row)))
    if stored is None:
        kept = await registry.create(row.storage, obj, dry_run=request.dry_run)
    else:
        kept = await registry.update(row.storage, obj, subresource=subresource, dry_run=request.dry_run)
    return Patched(from_stored(row, kept), stored is None, config.problems)


def _decoded(row: Resource, obj: Any, request: PatchRequest) -> Decoded:
    decoded = decode_as(row, obj)
    if decoded.problems and request.field_validation == "Strict":
        raise strict_error(decoded.problems, api_version=row.api_version, kind=row.kind)
    return decoded


def _check_identity(obj: Object, namespace: str, name: str) -> None:
    """A patch changes an object; it does not make another of it."""
    metadata = obj.get("metadata") or {}
    if metadata.get("name") != name:
        given = metadata.get("name", "")
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    if metadata.get("namespace", "") != namespace:
        raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
