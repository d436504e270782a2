"""How requests without a session are spread (behaviour reference, part A, sections 3 and 12.4)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, is_off, planned


@dataclass(frozen=True, slots=True)
class Balancing:
    """How a backend's endpoints are found and chosen."""

    algorithm: str = planned(
        "load-balance",
        "How requests are spread: `round_robin` or `ewma`.",
        scope=Scope.BACKEND,
        global_key="load-balance",
        inert=lambda text: text.strip() == "round_robin",
    )
    hash_by: str = planned(
        "upstream-hash-by", "The expression by which requests are hashed to pods.", scope=Scope.BACKEND, risk=Risk.HIGH
    )
    hash_by_subset: str = planned(
        "upstream-hash-by-subset", "Hashes to groups of pods instead of pods.", scope=Scope.BACKEND, inert=is_off
    )
    hash_by_subset_size: str = planned(
        "upstream-hash-by-subset-size", "How many pods a group has at the least.", scope=Scope.BACKEND
    )
    service_upstream: str = planned(
        "service-upstream",
        "Sends to the Service's address instead of its pods.",
        scope=Scope.BACKEND,
        global_key="service-upstream",
        inert=is_off,
    )
