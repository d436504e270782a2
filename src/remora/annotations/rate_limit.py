"""Limits on rates and connections (behaviour reference, part B, section 3)."""

from dataclasses import dataclass

from remora.annotations.declare import is_off, planned


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much one client address may ask for."""

    per_second: str = planned("limit-rps", "Requests a second from one address.", guards=True, inert=is_off)
    per_minute: str = planned("limit-rpm", "Requests a minute from one address.", guards=True, inert=is_off)
    connections: str = planned("limit-connections", "Requests at the same time from one address.", guards=True, inert=is_off)
    burst_multiplier: str = planned("limit-burst-multiplier", "How many times the rate may come at once.", guards=True)
    allowlist: str = planned(
        "limit-allowlist", "The addresses that are not limited.", aliases=("limit-whitelist",), guards=True
    )
    bandwidth: str = planned(
        "limit-rate", "Kilobytes a second of one response.", guards=True, inert=is_off, global_key="limit-rate"
    )
    bandwidth_after: str = planned(
        "limit-rate-after",
        "The kilobytes of a response that are not limited.",
        guards=True,
        inert=is_off,
        global_key="limit-rate-after",
    )
