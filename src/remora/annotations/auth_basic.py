"""Basic and digest authentication (behaviour reference, part B, section 1)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


@dataclass(frozen=True, slots=True)
class AuthBasic:
    """Who must give a name and a password."""

    kind: str = planned("auth-type", "`basic` or `digest`: asks for a name and a password.", guards=True)
    secret: str = planned("auth-secret", "The Secret that holds names and passwords.", guards=True, risk=Risk.MEDIUM)
    secret_type: str = planned("auth-secret-type", "How the Secret is laid out: `auth-file` or `auth-map`.", guards=True)
    realm: str = planned("auth-realm", "The realm that a browser shows.", guards=True, risk=Risk.MEDIUM)
    satisfy: str = planned(
        "satisfy",
        "Whether all (`all`) or any (`any`) of the checks must pass.",
        guards=True,
        inert=lambda text: text.strip() == "all",
    )
