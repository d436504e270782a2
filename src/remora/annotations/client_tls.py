"""Client certificates (behaviour reference, part B, section 1)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, planned


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Which clients must show a certificate."""

    secret: str = planned(
        "auth-tls-secret", "The Secret with the CA of the clients.", guards=True, scope=Scope.HOST, risk=Risk.MEDIUM
    )
    verify_client: str = planned(
        "auth-tls-verify-client",
        "Whether a certificate is demanded.",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.MEDIUM,
        inert=lambda text: text.strip() == "off",
    )
    verify_depth: str = planned("auth-tls-verify-depth", "How long the chain may be.", guards=True, scope=Scope.HOST)
    error_page: str = planned(
        "auth-tls-error-page",
        "Where clients without a good certificate are sent.",
        guards=True,
        scope=Scope.HOST,
        risk=Risk.HIGH,
    )
    pass_certificate: str = planned(
        "auth-tls-pass-certificate-to-upstream", "Sends the certificate on to the pod.", guards=True, scope=Scope.HOST
    )
    match_cn: str = planned(
        "auth-tls-match-cn", "A regular expression for the subject.", guards=True, scope=Scope.HOST, risk=Risk.HIGH
    )
