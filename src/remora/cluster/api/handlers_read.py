"""Reading: one object, a list in pages, or a watch."""

from collections.abc import Sequence

from remora.cluster.api.errors import (
    ApiError,
    Cause,
    Object,
    bad_request,
    expired,
    forbidden_field,
    invalid_options,
    unsupported,
)
from remora.cluster.api.fields import check_fields
from remora.cluster.api.handlers import Call, resource_version_error
from remora.cluster.api.http_message import Request, Response
from remora.cluster.api.pages import Key, Place, key_of, parse_place, render_place, rest_of
from remora.cluster.api.selectors import Requirement, Selector, SelectorError, parse_field_selector, parse_label_selector
from remora.cluster.api.watch import Selection, WatchOptions, stream

_MATCHES = ("Exact", "NotOlderThan")
_LONGEST_WATCH = 3600
"""Seconds after which a watch ends that gave no `timeoutSeconds`; Kubernetes takes 30 to 60 minutes."""


async def read_one(call: Call) -> Response:
    if call.request.is_set("watch"):
        return _watch(call, Requirement("metadata.name", "in", (call.name,)))
    found = call.find()
    _check_version(call, call.request.query.get("resourceVersion", ""), "")
    return call.answer(found)


async def read_list(call: Call) -> Response:
    if call.request.is_set("watch"):
        return _watch(call)
    query = call.request.query
    version_text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    _check_match(call.request, version_text, match)
    selection = _selection(call)
    objects, version = call.api.registry.list(call.storage, call.namespace, labels=selection.labels, fields=selection.fields)
    _check_version(call, version_text, match)
    page, metadata = _page(call, objects, version)
    if selection.is_narrow:
        metadata.pop("remainingItemCount", None)
    return call.raw(call.view().many(page, metadata))


def _watch(call: Call, *more: Requirement) -> Response:
    query = call.request.query
    selection = _selection(call, *more)
    version = _parse_version(query.get("resourceVersion", ""))
    sends_initial = call.request.is_set("sendInitialEvents")
    if "sendInitialEvents" in query and query.get("resourceVersionMatch") != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid_options("ListOptions", forbidden_field("resourceVersionMatch", why))
    options = WatchOptions(
        selection=selection,
        timeout=call.request.integer("timeoutSeconds") or _LONGEST_WATCH,
        bookmarks=call.request.is_set("allowWatchBookmarks"),
        marks_initial_end=sends_initial,
    )
    begins_anew = sends_initial or not version
    watch = call.api.registry.watch(call.storage, call.namespace, since=None if begins_anew else version)
    if not begins_anew and version > call.api.registry.version:
        raise _too_large(version, call.api.registry.version)
    body = stream(watch, call.view(), options, version=lambda: call.api.registry.version)
    return Response(content_type=_stream_type(call), body=body)


def _stream_type(call: Call) -> str:
    # A watch in YAML is not defined; Kubernetes' clients ask for `;stream=watch` and take JSON.
    return "application/json"


def _selection(call: Call, *more: Requirement) -> Selection:
    labels, fields = parse_selectors(call.request)
    check_fields(call.row, fields)
    return Selection(labels, Selector((*fields.requirements, *more)))


def parse_selectors(request: Request) -> tuple[Selector, Selector]:
    """The label selector and the field selector of a request.

    Raises:
        ApiError: BadRequest; one of them cannot be read.
    """
    try:
        labels = parse_label_selector(request.query.get("labelSelector", ""))
        return labels, parse_field_selector(request.query.get("fieldSelector", ""))
    except SelectorError as error:
        raise bad_request(str(error)) from None


def _parse_version(text: str) -> int:
    """0 where none is given."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 4000:
        raise resource_version_error(text)
    return int(text)


def _check_match(request: Request, version: str, match: str) -> None:
    if not match:
        return
    if not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise invalid_options("ListOptions", forbidden_field("resourceVersionMatch", why))
    if match not in _MATCHES:
        raise invalid_options("ListOptions", unsupported("resourceVersionMatch", match, _MATCHES))
    if match == "Exact" and version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        raise invalid_options("ListOptions", forbidden_field("resourceVersionMatch", why))
    if request.query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        raise invalid_options("ListOptions", forbidden_field("resourceVersionMatch", why))


def _check_version(call: Call, text: str, match: str) -> None:
    """Refuses what we cannot know: the future, and exactly how it was."""
    wanted, current = _parse_version(text), call.api.registry.version
    if wanted > current:
        raise _too_large(wanted, current)
    if match == "Exact" and wanted != current:
        raise expired("The resourceVersion for the provided list is too old.")


def _too_large(wanted: int, current: int) -> ApiError:
    cause = Cause("", "ResourceVersionTooLarge", "Too large resource version")
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, causes=[cause], details={"retryAfterSeconds": 1})


def _page(call: Call, objects: Sequence[Object], version: int) -> tuple[Sequence[Object], Object]:
    """The part of a list that is asked for, and the list's metadata."""
    request, pages = call.request, call.api.pages
    query = request.query
    key = Key(call.storage, call.namespace, query.get("labelSelector", ""), query.get("fieldSelector", ""), version)
    token = query.get("continue", "")
    if token and query.get("resourceVersion", "") not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    if token:
        whole, (objects, version) = objects, rest_of(pages, key, objects, parse_place(token))
        key = key._replace(version=version)
    else:
        whole = objects
    limit = request.integer("limit") or 0
    metadata: Object = {"resourceVersion": str(version)}
    if not 0 < limit < len(objects):
        return objects, metadata
    if pages.find(key) is None:
        pages.keep(key, whole)
    page = objects[:limit]
    metadata["continue"] = render_place(Place(version, key_of(page[-1])))
    metadata["remainingItemCount"] = len(objects) - limit
    return page, metadata
