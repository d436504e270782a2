"""AdmissionReviews: the question put to a webhook, and what its answer means. Pure."""

import base64
import binascii
from typing import Any

import msgspec

from remora.cluster.api.admission.hooks import Change
from remora.cluster.api.conversion import from_stored
from remora.cluster.api.errors import ApiError
from remora.cluster.api.patch.faults import PatchError
from remora.cluster.api.patch.json_patch import apply_json_patch
from remora.cluster.api.resources import Resource

Object = dict[str, Any]

API_VERSION = "admission.k8s.io/v1"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
_LEAST_REFUSAL = 400


class CallError(Exception):
    """A webhook did not answer, or not as it should; the text is Kubernetes'."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`status` says why it is not allowed."""

    is_allowed: bool
    status: Object = {}
    patch: tuple[Object, ...] = ()
    warnings: tuple[str, ...] = ()


def review_request(change: Change, row: Resource, *, uid: str, user: Object) -> Object:
    """What an AdmissionReview asks, with objects in the version of `row`."""
    kind = change.kind or (row.group, row.version, row.kind)
    asked_kind = change.kind or (change.row.group, change.row.version, change.row.kind)
    request: Object = {
        "uid": uid,
        "kind": _kind(*kind),
        "resource": _resource(row),
        "requestKind": _kind(*asked_kind),
        "requestResource": _resource(change.row),
        "operation": change.operation,
        "userInfo": user,
        "object": shown(change, row, change.object),
        "oldObject": shown(change, row, change.old),
        "dryRun": change.dry_run,
        "options": _options(change),
    }
    named = (("name", change.name), ("namespace", change.namespace), ("subResource", change.subresource))
    request |= {key: value for key, value in (*named, ("requestSubResource", change.subresource)) if value}
    return request


def _kind(group: str, version: str, kind: str) -> Object:
    return {"group": group, "version": version, "kind": kind}


def _resource(row: Resource) -> Object:
    return {"group": row.group, "version": row.version, "resource": row.plural}


def _options(change: Change) -> Object | None:
    kind = _OPTIONS.get(change.operation)
    if kind is None:
        return None
    dry_run = {"dryRun": ["All"]} if change.dry_run else {}
    return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **dry_run}


def shown(change: Change, row: Resource, obj: Object | None) -> Object | None:
    """An object of a change as the webhook wants to see it."""
    return obj if obj is None or change.kind is not None else from_stored(row, obj)


def parse_answer(body: bytes, *, uid: str) -> Answer:
    """A webhook's answer.

    Raises:
        CallError: it is no answer to this question.
    """
    try:
        review = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise CallError(f"received invalid webhook response: {error}") from None
    if not isinstance(review, dict) or (review.get("apiVersion"), review.get("kind")) != (API_VERSION, "AdmissionReview"):
        found = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}" if isinstance(review, dict) else "/, Kind="
        why = f"expected webhook response of {API_VERSION}, Kind=AdmissionReview, got {found}"
        raise CallError(f"received invalid webhook response: {why}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise CallError("received invalid webhook response: webhook response was absent")
    if response.get("uid") != uid:
        found = response.get("uid") or ""
        raise CallError(f'received invalid webhook response: expected response.uid="{uid}", got "{found}"')
    return Answer(
        is_allowed=response.get("allowed") is True,
        status=_given(response, "status", dict) or {},
        patch=_patch(response),
        warnings=tuple(text for text in _given(response, "warnings", list) or () if isinstance(text, str)),
    )


def _given(response: Object, name: str, type_: type) -> Any:
    found = response.get(name)
    if found is not None and not isinstance(found, type_):
        raise CallError(f"received invalid webhook response: json: cannot unmarshal response.{name}")
    return found


def _patch(response: Object) -> tuple[Object, ...]:
    patch, kind = response.get("patch"), response.get("patchType")
    if not patch:
        if kind:
            raise CallError("received invalid webhook response: webhook returned response.patchType but not response.patch")
        return ()
    if kind != "JSONPatch":
        raise CallError(
            f'received invalid webhook response: invalid response.patchType, expected JSONPatch, got "{kind or ""}"'
        )
    try:
        operations = msgspec.json.decode(base64.b64decode(patch, validate=True), type=list[dict[str, Any]])
    except (binascii.Error, msgspec.MsgspecError, TypeError, ValueError) as error:
        raise CallError(f"received invalid webhook response: {error}") from None
    return tuple(operations)


def patched(obj: Object, answer: Answer) -> Object:
    """The object as the webhook wants it.

    Raises:
        ApiError: InternalError; the patch does not fit.
    """
    try:
        new = apply_json_patch(obj, answer.patch)
    except PatchError as error:
        raise internal(str(error)) from None
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise internal("the patch of the webhook leaves no object")
    return new


def refusal(name: str, status: Object) -> ApiError:
    """What a client hears when a webhook does not allow something."""
    denied = f'admission webhook "{name}" denied the request'
    message, reason = str(status.get("message") or ""), str(status.get("reason") or "")
    text = f"{denied}: {message or reason}" if message or reason else f"{denied} without explanation"
    code = status.get("code")
    given = code if isinstance(code, int) and code >= _LEAST_REFUSAL else _LEAST_REFUSAL
    details = status.get("details")
    return ApiError(given, reason, text, details=details if isinstance(details, dict) else None)


def failure(name: str, why: str) -> ApiError:
    """What a client hears when a webhook that must be asked cannot be."""
    return internal(f'failed calling webhook "{name}": {why}')


def internal(why: str) -> ApiError:
    causes = {"causes": [{"message": why}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {why}", details=causes)


def effects_refused(name: str) -> ApiError:
    return ApiError(400, "BadRequest", f'admission webhook "{name}" does not support dry run')
