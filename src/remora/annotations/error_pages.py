"""Default backends and error pages (behaviour reference, part A, section 8)."""

from dataclasses import dataclass

from remora.annotations.declare import is_off, planned


@dataclass(frozen=True, slots=True)
class ErrorPages:
    """Who answers when the rule's service cannot, or does so with an error."""

    backend: str = planned("default-backend", "The Service that answers when the rule's service has no endpoints.")
    statuses: str = planned(
        "custom-http-errors", "The statuses that the default backend answers instead.", global_key="custom-http-errors"
    )
    only_own_errors: str = planned(
        "disable-proxy-intercept-errors",
        "Leaves the pods' own errors as they are.",
        global_key="disable-proxy-intercept-errors",
        inert=is_off,
    )
