"""What the API server refuses, worded and shaped as Kubernetes does (`metav1.Status`; apimachinery `pkg/api/errors`)."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from remora.core.errors import RemoraError

Object = dict[str, Any]


class Cause(msgspec.Struct, frozen=True):
    """One thing wrong with one field (`StatusCause`); `reason` is Kubernetes' word for the kind of fault."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def render_value(value: object) -> str:
    """A value as Kubernetes puts it into messages: text quoted, the rest as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid_value(field: str, value: object, detail: str) -> Cause:
    return Cause(field, "FieldValueInvalid", f"Invalid value: {render_value(value)}: {detail}")


def unsupported(field: str, value: object, supported: Sequence[str]) -> Cause:
    listed = ", ".join(f'"{name}"' for name in supported)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {render_value(value)}: supported values: {listed}")


def duplicate(field: str, value: object) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {render_value(value)}")


def forbidden_field(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")


class ApiError(RemoraError):
    """An answer other than success; `details` is None where Kubernetes leaves them out."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        causes: Sequence[Cause] = (),
        details: Object | None = None,
        metadata: Object | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = tuple(causes)
        self.details = details
        self.metadata = metadata or {}

    def to_wire(self) -> Object:
        answer: Object = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        answer["message"] = self.message
        if self.reason:
            answer["reason"] = self.reason
        details = dict(self.details) if self.details is not None else None
        if self.causes:
            listed = [
                {"reason": c.reason, "message": c.message, **({"field": c.field} if c.field else {})} for c in self.causes
            ]
            details = {**(details or {}), "causes": listed}
        if details is not None:
            answer["details"] = details
        return {**answer, "code": self.status}


def _details(*, name: str = "", group: str = "", kind: str = "") -> Object:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def qualified(plural: str, group: str) -> str:
    """`deployments.apps`, but `pods` for the core group."""
    return f"{plural}.{group}" if group else plural


def not_found(plural: str, name: str, *, group: str = "") -> ApiError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(name=name, group=group, kind=plural))


def unknown_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(plural: str, name: str, *, group: str = "") -> ApiError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_details(name=name, group=group, kind=plural))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, name: str, why: str = MODIFIED, *, group: str = "") -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_details(name=name, group=group, kind=plural))


def invalid(kind: str, name: str, causes: Sequence[Cause], *, group: str = "") -> ApiError:
    texts = [str(cause) for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{qualified(kind, group)} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", message, causes=causes, details=_details(name=name, group=group, kind=kind))


def invalid_options(kind: str, cause: Cause) -> ApiError:
    """`kind` is the kind of the options, such as `ListOptions`."""
    return invalid(kind, "", [cause], group="meta.k8s.io")


def forbidden(plural: str, name: str, why: str, *, group: str = "", causes: Sequence[Cause] = ()) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, causes=causes, details=_details(name=name, group=group, kind=plural))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def internal_error(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details={"causes": [{"message": message}]})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={})


def not_acceptable(available: Sequence[str]) -> ApiError:
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(available)}"
    return ApiError(406, "NotAcceptable", message, details={})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    listed = ", ".join(accepted)
    message = f"the body of the request was in an unknown format - accepted media types include: {listed}"
    return ApiError(415, "UnsupportedMediaType", message)
