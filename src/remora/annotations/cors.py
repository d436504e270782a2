"""Cross-origin resource sharing (behaviour reference, part A, section 9)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, is_off, planned


@dataclass(frozen=True, slots=True)
class Cors:
    """What browsers may do from pages of other origins."""

    enabled: str = planned("enable-cors", "Answers preflight requests and adds the CORS headers.", inert=is_off)
    allow_origin: str = planned("cors-allow-origin", "The origins that are allowed.", risk=Risk.MEDIUM)
    allow_methods: str = planned("cors-allow-methods", "The methods that are allowed.", risk=Risk.MEDIUM)
    allow_headers: str = planned("cors-allow-headers", "The request headers that are allowed.", risk=Risk.MEDIUM)
    allow_credentials: str = planned("cors-allow-credentials", "Whether cookies may be sent along.")
    expose_headers: str = planned("cors-expose-headers", "The response headers that pages may read.", risk=Risk.MEDIUM)
    max_age: str = planned("cors-max-age", "Seconds for which a browser may keep the preflight answer.")
