"""Timeouts and retries (behaviour reference, part B, section 4)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a pod is waited for, and how often another one is tried."""

    connect: str = planned("proxy-connect-timeout", "Seconds to connect to a pod.", global_key="proxy-connect-timeout")
    read: str = planned("proxy-read-timeout", "Seconds between two reads from a pod.", global_key="proxy-read-timeout")
    send: str = planned("proxy-send-timeout", "Seconds between two writes to a pod.", global_key="proxy-send-timeout")
    next_upstream: str = planned(
        "proxy-next-upstream", "What makes another pod be tried.", risk=Risk.MEDIUM, global_key="proxy-next-upstream"
    )
    next_upstream_timeout: str = planned(
        "proxy-next-upstream-timeout", "Seconds for all tries together.", global_key="proxy-next-upstream-timeout"
    )
    next_upstream_tries: str = planned(
        "proxy-next-upstream-tries", "How many tries there are.", global_key="proxy-next-upstream-tries"
    )
