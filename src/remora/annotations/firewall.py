"""The ModSecurity firewall (behaviour reference, part B, section 7)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Support, annotation, is_off, refused
from remora.annotations.values import trimmed

_NONE = "HAProxy has no ModSecurity. With rules that block, it keeps requests out, so nothing is served without it."


@dataclass(frozen=True, slots=True)
class Firewall:
    """Which requests a firewall refuses. With the stock rules it only reports, with own rules it guards."""

    enabled: str = refused(
        "enable-modsecurity", "Runs the firewall.", differs=_NONE, global_key="enable-modsecurity", inert=is_off
    )
    core_rules: str = refused(
        "enable-owasp-core-rules",
        "Loads the OWASP rules.",
        differs=_NONE,
        global_key="enable-owasp-modsecurity-crs",
        inert=is_off,
    )
    transaction_id: str = annotation(
        "modsecurity-transaction-id",
        trimmed,
        default="",
        doc="The name of a request in the firewall's log.",
        risk=Risk.HIGH,
        support=Support.WITHOUT_EFFECT,
        differs="There is no such log.",
        accepts=("$request_id",),
    )
    snippet: str = refused(
        "modsecurity-snippet", "Own rules.", differs=_NONE, risk=Risk.CRITICAL, global_key="modsecurity-snippet"
    )
