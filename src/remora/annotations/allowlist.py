"""Lists of client addresses (behaviour reference, part B, section 2)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned
from remora.annotations.values import ValueRefused, comma_list


def _lets_everybody_in(text: str) -> bool:
    """cert-manager writes such a list on the Ingress of every challenge, so that no global list stands in its way."""
    try:
        return {"0.0.0.0/0", "::/0"} <= set(comma_list(text))
    except ValueRefused:
        return False


@dataclass(frozen=True, slots=True)
class AddressLists:
    """From which addresses clients may come."""

    allow: str = planned(
        "allowlist-source-range",
        "The addresses from which clients may come.",
        aliases=("whitelist-source-range",),
        guards=True,
        risk=Risk.MEDIUM,
        global_key="whitelist-source-range",
        inert=_lets_everybody_in,
    )
    deny: str = planned(
        "denylist-source-range",
        "The addresses from which clients may not come.",
        guards=True,
        risk=Risk.MEDIUM,
        global_key="denylist-source-range",
    )
