"""From annotations to what is done to requests and answers of a route, whatever its backend."""

from collections.abc import Iterator

from remora import model
from remora.annotations.cors import Cors
from remora.annotations.registry import Parsed
from remora.core.names import ObjectRef
from remora.core.problem import Problem


def find_cors(parsed: Parsed) -> model.Cors | None:
    """What is allowed to pages of other origins; None if nothing is, or if no origin in the list is one."""
    group = parsed.of(Cors)
    if not group.enabled or not group.allow_origin:
        return None
    return model.Cors(
        origins=None if "*" in group.allow_origin else group.allow_origin,
        methods=group.allow_methods,
        headers=group.allow_headers,
        credentials=group.allow_credentials,
        expose_headers=group.expose_headers,
        max_age=group.max_age,
    )


def policy_problems(ref: ObjectRef, parsed: Parsed) -> Iterator[Problem]:
    """What is wrong in annotations that are well-formed each by itself."""
    group = parsed.of(Cors)
    if group.enabled and not group.allow_origin:
        message = "no origin in cors-allow-origin has a scheme; write https://example.com"
        yield Problem(ref, "metadata.annotations", "CorsWithoutOrigin", message, "no CORS headers are sent")
