"""What the map says about a session's cookie."""

import pytest

from remora.haproxy.features.affinity import cookie_policy
from remora.model import Affinity, AffinityMode, CookieAttributes, SameSite


def policy(**attributes: object) -> str:
    return cookie_policy(Affinity(AffinityMode.PERSISTENT, "route", "key", CookieAttributes(**attributes)))  # type: ignore[arg-type]


def test_every_attribute_has_its_field() -> None:
    text = policy(path="/a", domain="d.example", expires=-1, max_age=0, secure=True, same_site=SameSite.NONE)
    assert text.split("|") == ["key", "-1", "; Max-Age=0; Domain=d.example; Path=/a", "always", "None", ""]
    assert policy().split("|") == ["key", "", "; Path=/", "", "", ""]


@pytest.mark.parametrize("path", ["/a;b", "/a|b", "/a\nb", "/a\x7f"])
def test_what_would_end_an_attribute_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        policy(path=path)
