"""What the map `placements` says, and which letters a route's cookie policy may have."""

import pytest

from remora.haproxy.features import placement, session_lifetime
from remora.haproxy.features.placement import is_wanted, placement_entry
from remora.haproxy.lua import Script, script_text
from remora.model import Placement, SessionPolicy


@pytest.mark.parametrize(
    ("policy", "entry"),
    [
        (SessionPolicy(limit=10), "random|10|"),
        (SessionPolicy(limit=10, overflow=True), "random|10|overflow"),
        (SessionPolicy(placement=Placement.LEAST_SESSIONS), "sessions||"),
        (SessionPolicy(placement=Placement.LEAST_CONNECTIONS, limit=1), "connections|1|"),
    ],
)
def test_an_entry_says_what_decides_and_the_limit(policy: SessionPolicy, entry: str) -> None:
    assert is_wanted(policy)
    assert placement_entry(policy) == entry


def test_a_route_that_leaves_it_to_chance_and_has_no_limit_pays_nothing() -> None:
    assert not is_wanted(SessionPolicy(tracking=True, idle_timeout=60, overflow=True))


def test_the_script_knows_every_word_that_an_entry_may_have() -> None:
    for one in Placement:
        word = placement_entry(SessionPolicy(placement=one)).partition("|")[0]
        assert f" {word} = " in script_text(Script.SESSION_PLACEMENT)


def test_the_letters_of_a_cookie_policy_are_different() -> None:
    letters = [placement.LETTER, session_lifetime.STAMPED, session_lifetime.SLIDING, "f", "t", "g", "u"]
    assert len(set(letters)) == len(letters)
