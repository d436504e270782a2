"""What is rewritten in a pod's responses (behaviour reference, part B, section 4)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from remora.annotations.declare import Risk, Support, annotation
from remora.annotations.values import ValueRefused, shown, trimmed

OFF = "off"
REDIRECT_VARIABLES = ("host", "http_host", "scheme")


def pair_of(characters: str, what: str) -> Callable[[str], tuple[str, ...]]:
    """Two words of the characters; none at all for `off`."""

    def parse(text: str) -> tuple[str, ...]:
        value = trimmed(text)
        if value == OFF:
            return ()
        words = value.split(" ")
        if len(words) != 2 or not all(re.fullmatch(f"[{characters}]+", word) for word in words):
            raise ValueRefused(f"{shown(value)} is neither off nor {what}, before and after")
        return words[0], words[1]

    return parse


def redirect_target(text: str) -> str:
    """What a Location begins with: `off`, `default`, or characters of URLs and variables."""
    value = trimmed(text)
    if value.startswith("~"):
        raise ValueRefused(f"{shown(value)} is a regular expression; only what a redirect begins with can be named")
    for name in re.findall(r"\$([A-Za-z_0-9]*)", value):
        if name not in REDIRECT_VARIABLES:
            known = ", ".join(f"${one}" for one in REDIRECT_VARIABLES)
            raise ValueRefused(f"{shown(value)} has the variable ${name}; known are {known}")
    if not re.fullmatch(r"[A-Za-z0-9\-._~/:,?&=$]*", value):
        raise ValueRefused(f"{shown(value)} is not of the characters of a URL")
    return value


@dataclass(frozen=True, slots=True)
class Responses:
    """Cookies and redirects of pods that do not know the outside's names."""

    cookie_domain: tuple[str, ...] = annotation(
        "proxy-cookie-domain",
        pair_of(r"A-Za-z0-9\-._~/:", "two domains"),
        default=(),
        risk=Risk.MEDIUM,
        global_key="proxy-cookie-domain",
        doc="The domain of pods' cookies, and what it becomes: `internal.example www.example`.",
        accepts=("off", "internal.example www.example"),
        refuses=("internal.example", "a b c", "~.* b", "a\nb"),
        haproxy=("http-response lua",),
    )
    cookie_path: tuple[str, ...] = annotation(
        "proxy-cookie-path",
        pair_of(r"A-Za-z0-9\-._~/:,?&=", "two paths"),
        default=(),
        risk=Risk.MEDIUM,
        global_key="proxy-cookie-path",
        doc="What the path of pods' cookies begins with, and what that becomes: `/app/ /`.",
        accepts=("off", "/app /", "/one/ /two/"),
        refuses=("/ /$1", '/ "/; Secure"', "~*^/.* /", "/app"),
        haproxy=("http-response lua",),
    )
    redirect_from: str = annotation(
        "proxy-redirect-from",
        redirect_target,
        default=OFF,
        risk=Risk.MEDIUM,
        global_key="proxy-redirect-from",
        support=Support.PARTIAL,
        differs="Of nginx's variables it knows `$host`, `$http_host` and `$scheme`. `default` changes nothing.",
        doc="The beginning of pods' redirects (`Location`, `Refresh`) that is replaced.",
        accepts=("off", "default", "http://", "http://$host/", "http://web.example:8080/"),
        refuses=("~^http://(.*)$", "http://$server_name/", "http://a b", "http://a|b"),
        haproxy=("http-response lua",),
    )
    redirect_to: str = annotation(
        "proxy-redirect-to",
        redirect_target,
        default=OFF,
        risk=Risk.MEDIUM,
        global_key="proxy-redirect-to",
        support=Support.PARTIAL,
        differs="Of nginx's variables it knows `$host`, `$http_host` and `$scheme`.",
        doc="What it is replaced by.",
        accepts=("off", "https://", "$scheme://$http_host/"),
        refuses=("https://$x/", "a\nb"),
    )
