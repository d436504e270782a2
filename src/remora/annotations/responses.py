"""What is rewritten in a pod's responses (behaviour reference, part B, section 4)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, planned


def _is_off(text: str) -> bool:
    return text.strip() in ("off", "default")


@dataclass(frozen=True, slots=True)
class Responses:
    """Cookies and redirects of pods that do not know the outside's names."""

    cookie_domain: str = planned(
        "proxy-cookie-domain",
        "The domain of pods' cookies, and what it becomes.",
        risk=Risk.MEDIUM,
        global_key="proxy-cookie-domain",
        inert=_is_off,
    )
    cookie_path: str = planned(
        "proxy-cookie-path",
        "The path of pods' cookies, and what it becomes.",
        risk=Risk.MEDIUM,
        global_key="proxy-cookie-path",
        inert=_is_off,
    )
    redirect_from: str = planned(
        "proxy-redirect-from",
        "The beginning of pods' redirects that is replaced.",
        risk=Risk.MEDIUM,
        global_key="proxy-redirect-from",
        inert=_is_off,
    )
    redirect_to: str = planned(
        "proxy-redirect-to",
        "What it is replaced by.",
        risk=Risk.MEDIUM,
        global_key="proxy-redirect-to",
        inert=_is_off,
    )
