import msgspec
import pytest

from remora.core.settings import ProxySettings
from remora.haproxy.features.affinity import cookie_policy
from remora.haproxy.features.session_cookie import is_wanted, whole_policy
from remora.haproxy.features.session_lifetime import derive_key
from remora.haproxy.program import program_digest, render_program
from remora.model import Affinity, AffinityMode, CookieFormat, SessionPolicy
from tests.support.models import sticky


def affinity(sessions: SessionPolicy, **attributes: int) -> Affinity:
    return msgspec.structs.replace(sticky(AffinityMode.PERSISTENT, **attributes), sessions=sessions, former_name="shop-web-80")


def test_a_route_that_wants_nothing_more_has_the_policy_that_it_had() -> None:
    plain = sticky(max_age=60)
    assert not is_wanted(plain)
    assert whole_policy(plain) == cookie_policy(plain)


@pytest.mark.parametrize(
    ("sessions", "wanted"),
    [
        (SessionPolicy(tracking=True), "|t|||||shop-web-80"),
        (SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX), "|gu|||||shop-web-80"),
        (SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX, tracking=True), "|tg|||||shop-web-80"),
        (SessionPolicy(idle_timeout=600), "|l|665|1099511627776|60|1000|shop-web-80"),
        (SessionPolicy(idle_timeout=5, absolute_timeout=60), "|l|11|65|1|1000|shop-web-80"),
        (SessionPolicy(sliding=True), "|ls|1099511627776|1099511627776|100|1000|shop-web-80"),
    ],
)
def test_a_policy_has_letters_and_limits(sessions: SessionPolicy, wanted: str) -> None:
    text = whole_policy(affinity(sessions, max_age=1000))
    assert text.endswith(wanted)
    assert ("Max-Age" in text) == ("|l" not in wanted)


def test_the_key_of_signatures_is_in_the_program_and_in_no_text_for_people() -> None:
    key = derive_key(b"a session key")
    settings = ProxySettings(state_directory="/x", lifetime_key=key)
    other = ProxySettings(state_directory="/x", lifetime_key=derive_key(b"another"))
    assert key in render_program(settings)
    assert key not in repr(settings)
    assert program_digest(settings) != program_digest(other)
