"""How requests without affinity are spread (behaviour reference, part A, section 3)."""

import msgspec

from remora.annotations import balancing
from remora.annotations.registry import Parsed
from remora.model import Affinity, AffinityMode, Balancing, HashBy, RequestFact

_FACTS = {
    "request_uri": RequestFact.TARGET,
    "uri": RequestFact.PATH,
    "args": RequestFact.QUERY,
    "query_string": RequestFact.QUERY,
    "host": RequestFact.HOST,
    "remote_addr": RequestFact.CLIENT,
    "binary_remote_addr": RequestFact.CLIENT,
    "scheme": RequestFact.SCHEME,
    "server_port": RequestFact.SCHEME,
    "request_method": RequestFact.METHOD,
}

_MOVED = {"x-forwarded-for": "x-original-forwarded-for", "x-forwarded-host": "x-original-forwarded-host"}
"""Where the client's own header is once the proxy has set its own."""


class Spread(msgspec.Struct, frozen=True, gc=False):
    """How a backend is balanced, and for a consistent hash without affinity over what.

    `via_service` leaves it to the Service's own address.
    """

    balancing: Balancing
    hash_by: HashBy | None = None
    via_service: bool = False


def find_spread(parsed: Parsed, affinity: Affinity | None) -> Spread:
    """Affinity goes before a hash, and that before `load-balance`."""
    group = parsed.of(balancing.Balancing)
    via_service = group.service_upstream
    if affinity is not None:
        is_balanced = affinity.mode is AffinityMode.BALANCED
        return Spread(Balancing.CONSISTENT_HASH if is_balanced else Balancing.ROUND_ROBIN, via_service=via_service)
    if group.hash_by:
        subset = group.hash_by_subset_size if group.hash_by_subset else 1
        return Spread(Balancing.CONSISTENT_HASH, _hash_by(group.hash_by, subset), via_service)
    least = group.algorithm == "ewma"
    return Spread(Balancing.LEAST_CONNECTIONS if least else Balancing.ROUND_ROBIN, via_service=via_service)


def _hash_by(variables: tuple[str, ...], subset: int) -> HashBy:
    """What nginx's variables stand for. Their order means nothing to a hash."""
    names: dict[str, list[str]] = {"http": [], "cookie": [], "arg": []}
    for variable in sorted(set(variables) - _FACTS.keys() - {balancing.CONSTANT}):
        kind, _, name = variable.partition("_")
        names[kind].append(name)
    headers = (name.replace("_", "-") for name in names["http"])
    facts = {_FACTS[variable] for variable in variables if variable in _FACTS}
    return HashBy(
        facts=tuple(fact for fact in RequestFact if fact in facts),
        headers=tuple(_MOVED.get(name, name) for name in headers),
        cookies=tuple(names["cookie"]),
        arguments=tuple(names["arg"]),
        subset=subset,
    )
