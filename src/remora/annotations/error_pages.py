"""Default backends and error pages (behaviour reference, part A, section 8)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import Support, annotation
from remora.annotations.values import ValueRefused, boolean, shown, trimmed

_SERVICE = re.compile("[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

_MILDER = "A refused value costs this annotation alone, not the whole Ingress"


def service_name(text: str) -> str:
    """The name of a Service: a label of RFC 1035."""
    value = trimmed(text)
    if not _SERVICE.fullmatch(value):
        raise ValueRefused(f"{shown(value)} is not the name of a Service")
    return value


def error_statuses(text: str) -> tuple[int, ...]:
    """Statuses of 4xx and 5xx between commas, in ascending order."""
    items = [item.strip() for item in trimmed(text).split(",")]
    for item in items:
        if not re.fullmatch("[45][0-9][0-9]", item):
            raise ValueRefused(f"{shown(item)} is not a status of 400 to 599")
    return tuple(sorted(set(map(int, items))))


@dataclass(frozen=True, slots=True)
class ErrorPages:
    """Who answers when the rule's service cannot, or does so with an error."""

    backend: str = annotation(
        "default-backend",
        service_name,
        default="",
        support=Support.PARTIAL,
        differs=_MILDER,
        doc="The Service, in the Ingress's namespace, whose first port answers the request as it is when the rule's Service "
        "is missing or has no endpoints, and that makes the pages of `custom-http-errors`. It needs a ready endpoint.",
        accepts=("errors", "error-pages-2"),
        refuses=("other/errors", "Errors", "9errors", "errors.shop", ""),
        haproxy=("http-request set-header",),
    )
    statuses: tuple[int, ...] = annotation(
        "custom-http-errors",
        error_statuses,
        default=(),
        global_key="custom-http-errors",
        support=Support.PARTIAL,
        differs=f"{_MILDER}. A page that answers a pod's error may have 14 kB and 5 seconds, else the pod's answer stays; the "
        "default backend is sent no body then. A 502 or 504 for a pod that refuses or is silent is not replaced",
        doc="The statuses of 400 to 599 whose answers the default backend gives instead: the one of the annotation "
        "`default-backend`, else the controller's, else a plain 404.",
        accepts=("404", "404, 503", "404,415,502"),
        refuses=("200", "4xx", "404;503", "404,", ""),
        haproxy=("http-response lua.answer_with_error_page", "http-response return"),
    )
    leaves_pods: bool = annotation(
        "disable-proxy-intercept-errors",
        boolean,
        default=False,
        global_key="disable-proxy-intercept-errors",
        doc="Whether the pods' own errors stay as they are, so that only errors made by the controller have a page.",
        accepts=("true", "false"),
        refuses=("yes",),
    )
