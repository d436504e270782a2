"""The ModSecurity firewall (behaviour reference, part B, section 7)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, is_off, planned


@dataclass(frozen=True, slots=True)
class Firewall:
    """Which requests a firewall refuses. With the stock rules it only reports, with own rules it guards."""

    enabled: str = planned(
        "enable-modsecurity", "Runs the firewall.", guards=True, global_key="enable-modsecurity", inert=is_off
    )
    core_rules: str = planned(
        "enable-owasp-core-rules",
        "Loads the OWASP rules.",
        guards=True,
        global_key="enable-owasp-modsecurity-crs",
        inert=is_off,
    )
    transaction_id: str = planned("modsecurity-transaction-id", "The name of a request in its log.", risk=Risk.HIGH)
    snippet: str = planned(
        "modsecurity-snippet", "Own rules.", guards=True, risk=Risk.CRITICAL, global_key="modsecurity-snippet"
    )
