"""Writing: create, update, patch, delete, and delete of all that a selector matches."""

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from remora.cluster.api import deletion
from remora.cluster.api.admission.reviewing import ATTEMPTS, RacedError
from remora.cluster.api.authorization.rules import Attributes
from remora.cluster.api.errors import ApiError, Object, bad_request, invalid_options, method_not_allowed, unsupported
from remora.cluster.api.handlers import Call, Handler, success
from remora.cluster.api.handlers_read import parse_selectors
from remora.cluster.api.http_body import field_validation, read_object, read_options
from remora.cluster.api.http_message import Request, Response
from remora.cluster.api.http_view import View
from remora.cluster.api.kinds import check_patch_type
from remora.cluster.api.negotiation import PARTIAL, parse_media_type
from remora.cluster.api.patch import APPLY_PATCH
from remora.cluster.api.patching import Patched, PatchRequest, patch
from remora.cluster.api.resource import Resource
from remora.cluster.api.table import partial

_PROPAGATIONS = ("Foreground", "Background", "Orphan", "nil")


async def create(call: Call) -> Response:
    if call.row.namespaced and not call.namespace:
        raise method_not_allowed()
    dry_run = call.request.dry_run("CreateOptions")
    read = read_object(call.request, call.row, options="CreateOptions")
    new = await call.api.registry.create(call.storage, placed(call, read.object), dry_run=dry_run, writer=call.writer())
    return call.answer(new, status=201, warnings=read.warnings)


async def update(call: Call) -> Response:
    return await _update(call, "")


def update_part(subresource: str) -> Handler:
    """Replaces a part of an object."""

    async def handle(call: Call) -> Response:
        return await _update(call, subresource)

    return handle


async def _update(call: Call, subresource: str) -> Response:
    dry_run = call.request.dry_run("UpdateOptions")
    read = read_object(call.request, call.row, options="UpdateOptions")
    obj = placed(call, read.object)
    writer = call.writer(subresource)
    new = await call.api.registry.update(call.storage, obj, subresource=subresource, dry_run=dry_run, writer=writer)
    return call.answer(new, warnings=read.warnings)


def placed(call: Call, obj: Object) -> Object:
    """The object under the namespace and name of the path, where it gives none itself.

    Raises:
        ApiError: BadRequest; it gives others.
    """
    metadata = dict(obj.get("metadata") or {})
    if call.namespace:
        if metadata.get("namespace") not in (None, "", call.namespace):
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = call.namespace
    if call.name:
        if metadata.get("name") not in (None, "", call.name):
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({call.name})")
        metadata["name"] = call.name
    return {**obj, "metadata": metadata}


async def patch_object(call: Call) -> Response:
    return await _patch(call, "")


def patch_part(subresource: str) -> Handler:
    """Patches a part of an object."""

    async def handle(call: Call) -> Response:
        return await _patch(call, subresource)

    return handle


async def _patch(call: Call, subresource: str) -> Response:
    query = call.request.query
    validation = field_validation(call.request, "PatchOptions")
    wanted = PatchRequest(
        patch_type=patch_type(call.request, call.row),
        body=call.request.body,
        field_manager=query.get("fieldManager", ""),
        writer=call.writer(subresource),
        force=call.request.is_set("force"),
        dry_run=call.request.dry_run("PatchOptions"),
        field_validation=validation,
    )
    _check_creating(call, wanted, subresource)
    done = await _patched(call, wanted, subresource)
    shown = partial(done.object) if call.form.target == PARTIAL else done.object
    warnings = tuple(done.problems) if validation == "Warn" else ()
    return call.raw(shown, status=201 if done.is_new else 200, warnings=warnings)


def _check_creating(call: Call, wanted: PatchRequest, subresource: str) -> None:
    """Who applies what does not exist creates it, and must be allowed to."""
    if wanted.patch_type != APPLY_PATCH or subresource or call.api.registry.find(call.storage, call.namespace, call.name):
        return
    row = call.row
    creating = Attributes(
        verb="create", group=row.group, version=row.version, resource=row.plural, namespace=call.namespace, name=call.name
    )
    call.api.authorizer.check(call.request.identity, creating)


async def _patched(call: Call, wanted: PatchRequest, subresource: str) -> Patched:
    """The patched object. While webhooks think somebody else may change it, and the patch then means another object."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(RacedError):
            return await patch(call.api.registry, call.row, call.namespace, call.name, wanted, subresource=subresource)
    return await patch(call.api.registry, call.row, call.namespace, call.name, wanted, subresource=subresource)


def patch_type(request: Request, row: Resource) -> str:
    """The media type of a patch.

    Raises:
        ApiError: 415; it is none that a patch of this kind can have.
    """
    return check_patch_type(row, parse_media_type(request.content_type).name)


async def delete(call: Call) -> Response:
    options = delete_options(call.request)
    await call.api.registry.review_removal(call.storage, call.namespace, call.name, options)
    last, is_gone = call.api.registry.remove(call.storage, call.namespace, call.name, options)
    if not is_gone or call.row.returns_deleted:
        return call.answer(last)
    details = {"name": call.name, "group": call.row.group, "kind": call.row.plural, "uid": last["metadata"].get("uid", "")}
    return call.raw(success(details={key: value for key, value in details.items() if value}))


async def delete_collection(call: Call) -> Response:
    options = delete_options(call.request)
    labels, fields = parse_selectors(call.request)
    gone = await call.api.registry.delete_collection(call.storage, call.namespace, options, labels=labels, fields=fields)
    view = msgspec.structs.replace(call.view(), target="")
    return call.raw(_deleted(view, gone, call.api.registry.version))


def _deleted(view: View, gone: Sequence[Object], version: int) -> Object:
    return view.many(gone, {"resourceVersion": str(version)})


def delete_options(request: Request, given: Object | None = None) -> deletion.Options:
    """`DeleteOptions` from the body (or as given) and from the query, which fills what the body leaves open.

    Raises:
        ApiError: Invalid or BadRequest; an option has a value that it cannot have.
    """
    body = read_options(request, "DeleteOptions") if given is None else given
    preconditions = body.get("preconditions") or {}
    grace = body.get("gracePeriodSeconds", request.integer("gracePeriodSeconds"))
    return deletion.Options(
        grace_period_seconds=_grace(grace),
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        propagation=_propagation(body, request),
        dry_run=_dry_run(body) or request.dry_run("DeleteOptions"),
    )


def _grace(given: Any) -> int | None:
    if given is None or isinstance(given, int):
        return given
    raise _wrong_type("gracePeriodSeconds", "int64")


def _wrong_type(field: str, type_: str) -> ApiError:
    return bad_request(f"json: cannot unmarshal value into Go struct field DeleteOptions.{field} of type {type_}")


def _propagation(body: Object, request: Request) -> str:
    given = body.get("propagationPolicy") or request.query.get("propagationPolicy", "")
    orphans = body.get("orphanDependents")
    if not given:
        return "Orphan" if orphans else "Background"
    if given not in deletion.PROPAGATIONS:
        raise invalid_options("DeleteOptions", unsupported("propagationPolicy", given, _PROPAGATIONS))
    return str(given)


def _dry_run(body: Object) -> bool:
    given = body.get("dryRun") or []
    if given not in ([], ["All"]):
        raise invalid_options("DeleteOptions", unsupported("dryRun", given, ["All"]))
    return bool(given)
